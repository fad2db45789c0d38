import socketClusterClient from 'socketcluster-client';

const socket = socketClusterClient.create({hostname: '127.0.0.1', port: Number(process.argv[2] ?? 8000)});

// begin subscribe
const shouts = socket.subscribe('shouts');
await shouts.listener('subscribe').once();
const consumer = shouts.createConsumer();
// end subscribe

// begin publish
await socket.invokePublish('words', 'hello');   // waits until the server has it
socket.transmitPublish('words', 'again');       // does not wait
console.log((await consumer.next()).value, (await consumer.next()).value);
// end publish

// begin kickOut
const kicked = shouts.listener('kickOut').once();
console.log(await socket.invoke('leave'));
console.log((await kicked).message, '/', shouts.state);
// end kickOut

socket.disconnect();
