import socketClusterClient from 'socketcluster-client';

const socket = socketClusterClient.create({hostname: '127.0.0.1', port: Number(process.argv[2] ?? 8000)});

await socket.invoke('login', 'Ada');
await socket.subscribe('news').listener('subscribe').once();
socket.disconnect();
