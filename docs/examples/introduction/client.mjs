import socketClusterClient from 'socketcluster-client';

const socket = socketClusterClient.create({hostname: '127.0.0.1', port: Number(process.argv[2] ?? 8000)});

const greetings = socket.subscribe('greetings');
await greetings.listener('subscribe').once();
const consumer = greetings.createConsumer();

console.log(await socket.invoke('greet', 'Ada'));
console.log((await consumer.next()).value);

socket.disconnect();
