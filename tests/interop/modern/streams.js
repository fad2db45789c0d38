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
  await client.invoke('echo');
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
  await client.invoke('echo');
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
  for (let attempt = 0; attempt < 100; attempt++) {
    if ((await server.call('backpressure', { id: client.id })).inbound >= expected && server.log.all('action').length) return;
    await t.quiet(5);
  }
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

module.exports = {
  cleanUpModeKill, cleanUpModeClose, cleanUpModeNone, disconnectDoesNotWaitBehindMessages, backpressureOfSlowConsumers,
  inboundBackpressure, outboundBackpressure
};
