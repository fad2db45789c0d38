/** Lets the server close a connection with each of the given codes, and tells what the official client does then. */

import {create} from 'socketcluster-client';

const [port, ...codes] = process.argv.slice(2);

async function reaction(code) {
  const socket = create({hostname: '127.0.0.1', port: Number(port)});
  await socket.listener('connect').once();
  const closed = socket.listener('close').once();
  const again = socket.listener('connecting').once(500).then(() => true, () => false);
  socket.transmit('close', Number(code));
  await closed;
  const isBackAtOnce = await again;
  const willComeBack = socket.pendingReconnect;
  socket.disconnect();
  return isBackAtOnce ? 'comes back at once' : willComeBack ? 'comes back after a pause' : 'stays away';
}

await Promise.all(codes.map(async (code) => console.log(code, await reaction(code))));
