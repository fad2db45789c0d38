import socketClusterClient from 'socketcluster-client';
import codecEngine from 'sc-codec-min-bin';

const socket = socketClusterClient.create({
  hostname: '127.0.0.1',
  port: Number(process.argv[2] ?? 8000),
  codecEngine,
});

// An ArrayBuffer travels as bytes; a Buffer or a Uint8Array would not.
const pixels = new Uint8Array([0, 100, 255]).buffer;
const answer = await socket.invoke('invert', {pixels});
console.log(new Uint8Array(answer.pixels));

socket.disconnect();
