import socketClusterClient from 'socketcluster-client';

const socket = socketClusterClient.create({hostname: '127.0.0.1', port: Number(process.argv[2] ?? 8000)});
await socket.listener('connect').once();

socket.send('no packet');
console.log((await socket.listener('raw').once()).message);

socket.disconnect();
