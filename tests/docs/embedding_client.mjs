/** Connects with the options it is given as JSON, calls a procedure or waits for an event, and tells what came. */

import socketClusterClient from 'socketcluster-client';

const {procedure, receiver, ...options} = JSON.parse(process.argv[2]);
const socket = socketClusterClient.create(options);
console.log(procedure ? await socket.invoke(procedure) : await socket.receiver(receiver).once());
socket.disconnect();
