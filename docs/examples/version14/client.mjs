import socketCluster from 'socketcluster-client-14';

const socket = socketCluster.create({hostname: '127.0.0.1', port: Number(process.argv[2] ?? 8000)});
const emit = (event, data) => new Promise((resolve, reject) =>
  socket.emit(event, data, (error, answer) => (error ? reject(error) : resolve(answer))));

socket.on('error', () => {});
socket.on('question', (data, respond) => respond(null, `${data} Yes.`));

await emit('buy', {fruit: 'apples', count: 2}).catch((error) => console.log(`${error.name}: ${error.message}`));
console.log(await emit('login', {username: 'ann'}));
console.log(socket.authToken.username);

const subscribed = new Promise((resolve) => socket.subscribe('stock').on('subscribe', resolve));
const published = new Promise((resolve) => socket.watch('stock', resolve));
await subscribed;
console.log(await emit('buy', {fruit: 'apples', count: 2}), await published);
await emit('buy', {fruit: 'apples', count: 9}).catch((error) => console.log(`${error.name}: ${error.message}`));

const failed = new Promise((resolve) => socket.subscribe('staff/news').on('subscribeFail', resolve));
console.log((await failed).message);
socket.publish('gossip', 'apples are cheap', (error, ackData) => {
  console.log(error, ackData);
  socket.disconnect(1000, 'done');
});
