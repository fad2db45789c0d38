import socketClusterClient from 'socketcluster-client';

const socket = socketClusterClient.create({hostname: '127.0.0.1', port: Number(process.argv[2] ?? 8000)});

// begin call
console.log(await socket.invoke('add', [1, 2, 3]));
// end call

// begin fail
try {
  await socket.invoke('order', 5);
} catch (error) {
  console.log(`${error.name}: ${error.message} (${error.left})`);
}
// end fail

// begin late
const first = socket.invoke('slow', 'first');
const second = socket.invoke('slow', 'second');
console.log(await first, 'and', await second);

try {
  await socket.invoke('slow', 'third', {ackTimeout: 50});
} catch (error) {
  console.log(error.name);
}
// end late

// begin transmit
const seen = socket.receiver('seen').once();
socket.transmit('position', [3, 4]);
console.log(await seen);
// end transmit

// begin confirm
console.log(await socket.invoke('buy', 10));

(async () => {
  for await (const request of socket.procedure('confirm')) {
    if (request.data.price > 100) {
      request.error(new Error('far too much'));
    } else {
      request.end(request.data.price <= 20);
    }
  }
})();

console.log(await socket.invoke('buy', 20));
console.log(await socket.invoke('buy', 30));
await socket.invoke('buy', 200).catch((error) => console.log(error.message));
// end confirm

// begin count
const message = socket.listener('message').once();
await socket.invoke('count');
console.log((await message).message);
// end count

socket.disconnect();
