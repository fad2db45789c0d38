import socketClusterClient from 'socketcluster-client';

const socket = socketClusterClient.create({hostname: '127.0.0.1', port: Number(process.argv[2] ?? 8000)});

// begin login
console.log(await socket.invoke('whoami'));

await socket.invoke('login', {name: 'ada', password: 'oops'}).catch((error) => console.log(error.message));

await socket.invoke('login', {name: 'ada', password: 'countess'});
console.log(await socket.invoke('whoami'), socket.authState, socket.authToken.exp - socket.authToken.iat);
// end login

// begin again
socket.disconnect();
socket.connect();
const status = await socket.listener('connect').once();
console.log(status.isAuthenticated, await socket.invoke('whoami'));
// end again

// begin logout
await socket.invoke('logout');
console.log(socket.authState, await socket.invoke('whoami'));
// end logout

socket.disconnect();
