import zlib from 'node:zlib';
import socketClusterClient from 'socketcluster-client';

const codecEngine = {
  encode: (value) => zlib.deflateSync(JSON.stringify(value)),
  decode: (message) => typeof message === 'string' ? message : JSON.parse(zlib.inflateSync(Buffer.from(message))),
};
const socket = socketClusterClient.create({
  hostname: '127.0.0.1',
  port: Number(process.argv[2] ?? 8000),
  codecEngine,
});

const channel = socket.subscribe('news');
await channel.listener('subscribe').once();
const next = channel.once();
await socket.invokePublish('news', {text: 'compressed'});
console.log(await next);

socket.disconnect();
