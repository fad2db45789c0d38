'use strict';

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);

// A consumer on the server has 15 messages and is busy with the fourth when the client disconnects.
async function slowConsumer(t, socketStreamCleanupMode) {
  let server = await t.serve({ options: { socketStreamCleanupMode }, slow: 'work', socketEvents: ['disconnect', 'end'] });
  let client = await t.connected(server);
  for (let n of range(15)) client.transmit('work', n);
  for (let n of range(3)) await server.call('open', { gate: `slow${n}` });
  await server.wait('slowStarted', 4);
  await t.passed(client);
  client.disconnect();
  await server.wait('closure');
  await server.wait('socket.disconnect');
  assert.equal(server.log.all('slowHandled').length, 3);
  await t.quiet(50);
  for (let n of range(15)) await server.call('open', { gate: `slow${n}` });
  return server;
}

async function cleanUpModeKill(t) {
  let server = await slowConsumer(t, 'kill');
  await server.wait('slowEnded');
  assert.deepEqual(server.log.all('slowHandled').map((event) => event.data), range(4));
}

async function cleanUpModeClose(t) {
  let server = await slowConsumer(t, 'close');
  assert.deepEqual(await server.wait('slowEnded'), { count: 15 });
  assert.deepEqual(server.log.all('slowHandled').map((event) => event.data), range(15));
}

async function cleanUpModeNone(t) {
  let server = await slowConsumer(t, 'none');
  await server.wait('slowHandled', 15);
  await t.quiet(50);
  assert.equal(server.log.all('slowEnded').length, 0);
}

async function disconnectDoesNotWaitBehindMessages(t) {
  let server = await t.serve({ slow: 'work', socketEvents: ['disconnect'] });
  let client = await t.connected(server);
  for (let n of range(15)) client.transmit('work', n);
  await server.wait('slowStarted');
  client.disconnect();
  await server.wait('socket.disconnect');
  assert.equal(server.log.all('slowHandled').length, 0);
}

async function backpressureOfSlowConsumers(t) {
  let server = await t.serve({ slow: 'work' });
  let client = await t.connected(server);
  for (let n of range(15)) client.transmit('work', n);
  await t.passed(client);
  let pressure = await server.call('backpressure', { id: client.id });
  assert.deepEqual([pressure.inbound, pressure.outbound, pressure.total], [0, 0, 14]);
  for (let n of range(15)) await server.call('open', { gate: `slow${n}` });
  await server.wait('slowHandled', 15);
  assert.equal((await server.call('backpressure', { id: client.id })).total, 0);
}

async function inboundBackpressure(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'transmit', hold: 'door' }] });
  let client = await t.connected(server);
  assert.equal((await server.call('backpressure')).inbound, 0);
  let pressures = [];
  for (let n of range(5)) {
    client.transmit('note', n);
    await arrival(t, client, server, n);
    pressures.push((await server.call('backpressure')).inbound);
  }
  assert.deepEqual(pressures, [0, 1, 2, 3, 4]);
  await server.call('open', { gate: 'door' });
  await server.wait('received', 5);
  assert.equal((await server.call('backpressure')).inbound, 0);
}

// Messages that are held up are not to be seen from outside but for the pressure itself; ask until it stands.
async function arrival(t, client, server, expected) {
  let hasArrived = async () =>
    (await server.call('backpressure', { id: client.id })).inbound >= expected && server.log.all('action').length;
  while (!(await hasArrived())) await t.quiet(5);
}

async function outboundBackpressure(t) {
  let server = await t.serve({ rules: [{ line: 'outbound', type: 'publishOut', hold: 'door' }] });
  let client = await t.connected(server);
  await t.subscribed(client, 'news');
  let pressures = [];
  for (let n of range(5)) {
    await server.call('publish', { channel: 'news', data: n });
    pressures.push((await server.call('backpressure')).outbound);
  }
  assert.deepEqual(pressures, [1, 2, 3, 4, 5]);
  assert.equal((await server.call('backpressure')).total, 5);
  await server.call('open', { gate: 'door' });
  await t.log(client).wait('published', 5);
  assert.equal((await server.call('backpressure')).outbound, 0);
}

async function closedReceiverTakesWhatIsBuffered(t) {
  let server = await t.serve({ slow: 'work' });
  let client = await t.connected(server);
  for (let n of range(5)) client.transmit('work', n);
  await t.passed(client);
  await server.call('script', { steps: [['closeReceiver', 'work']] });
  client.transmit('work', 'after the end');
  await t.passed(client);
  for (let n of range(6)) await server.call('open', { gate: `slow${n}` });
  assert.deepEqual(await server.wait('slowEnded'), { count: 5 });
}

async function killedReceiverDropsWhatIsBuffered(t) {
  let server = await t.serve({ slow: 'work' });
  let client = await t.connected(server);
  for (let n of range(5)) client.transmit('work', n);
  await t.passed(client);
  await server.call('script', { steps: [['killReceiver', 'work']] });
  for (let n of range(5)) await server.call('open', { gate: `slow${n}` });
  assert.deepEqual(await server.wait('slowEnded'), { count: 1 });
}

async function closedProcedureIsServedNoMore(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await server.call('script', { steps: [['closeProcedure', 'echo']] });
  assert.equal((await t.failure(client.invoke('echo', 1, { ackTimeout: 100 }))).name, 'TimeoutError');
  assert.equal(await client.invoke('nothing'), undefined);
  await server.call('script', { steps: [['killAllProcedures']] });
  assert.equal((await t.failure(client.invoke('nothing', 1, { ackTimeout: 100 }))).name, 'TimeoutError');
}

async function backpressureInRawMiddleware(t) {
  let server = await t.serve({ rules: [{ line: 'inboundRaw', contains: '"note"', hold: 'door' }] });
  let client = await t.connected(server);
  let pressures = [];
  for (let n of range(4)) {
    client.transmit('note', n);
    while ((await server.call('backpressure')).inbound < n + 1) await t.settle();
    pressures.push(await server.call('backpressure'));
  }
  assert.deepEqual(pressures.map(({ inbound, total }) => [inbound, total]), [[1, 1], [2, 2], [3, 3], [4, 4]]);
  await server.call('open', { gate: 'door' });
  await server.wait('received', 4);
  assert.equal((await server.call('backpressure')).inbound, 0);
  assert.deepEqual(server.log.all('received').map((event) => event.data), range(4));
}

async function backpressureOfTheExchange(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await server.call('watchSlowly', { channel: 'news' });
  for (let n of range(10)) await client.invokePublish('news', n);
  await server.wait('slowStarted');
  assert.deepEqual(await server.call('exchangeBackpressure', { channel: 'news' }), { all: 9, channels: 9, channel: 9 });
  for (let n of range(10)) await server.call('open', { gate: `slow${n}` });
  await server.wait('slowHandled', 10);
  assert.deepEqual(await server.call('exchangeBackpressure', { channel: 'news' }), { all: 0, channels: 0, channel: 0 });
  assert.deepEqual(server.log.all('slowHandled').map((event) => event.data), range(10));
}

async function endComesLast(t) {
  let events = ['disconnect', 'close', 'unsubscribe', 'end'];
  let server = await t.serve({ socketEvents: events });
  let client = await t.connected(server);
  await t.subscribed(client, 'news');
  client.disconnect();
  await server.wait('socket.end');
  assert.deepEqual(server.log.names(...events.map((name) => `socket.${name}`)), events.map((name) => `socket.${name}`));
}

module.exports = {
  closedReceiverTakesWhatIsBuffered, killedReceiverDropsWhatIsBuffered, closedProcedureIsServedNoMore,
  backpressureInRawMiddleware, backpressureOfTheExchange, endComesLast,
  cleanUpModeKill, cleanUpModeClose, cleanUpModeNone, disconnectDoesNotWaitBehindMessages, backpressureOfSlowConsumers,
  inboundBackpressure, outboundBackpressure
};
