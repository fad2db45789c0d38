import socketClusterClient from 'socketcluster-client';

const socket = socketClusterClient.create({socketPath: process.argv[2], protocolScheme: 'ws+unix'});
console.log(await socket.invoke('address'));
socket.disconnect();
