'use strict';

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);

// The messages as they come over the wire, pings left out.
async function wire(t, client) {
  let messages = [];
  t.follow(client.listener('message'), ({ message }) => message && messages.push(JSON.parse(message)));
  return messages;
}

async function clientBatchesItsSubscriptions(t) {
  let server = await t.serve({ rules: [{ line: 'inbound' }], socketEvents: ['message'] });
  let client = t.client(server, { autoConnect: false, batchOnHandshake: true, batchOnHandshakeDuration: 100, batchInterval: 50 });
  let names = range(20).map((n) => `channel ${n}`);
  for (let name of names) client.subscribe(name);
  client.connect();
  await t.log(client).wait('subscribe', 20);
  await server.settle();
  let messages = server.log.all('socket.message').map((event) => event.message).filter((message) => message);
  assert.equal(messages.length, 2);
  assert.equal(JSON.parse(messages[0]).event, '#handshake');
  let batch = JSON.parse(messages[1]);
  assert.deepEqual(batch.map((packet) => [packet.event, packet.data.channel]), names.map((name) => ['#subscribe', name]));
  assert.deepEqual(server.log.all('action').map((action) => [action.type, action.channel]), names.map((name) => ['subscribe', name]));
}

async function serverBatchesOnHandshake(t) {
  let server = await t.serve({ options: { batchOnHandshake: true, batchOnHandshakeDuration: 6000, batchInterval: 1000 } });
  let client = t.client(server, { autoConnect: false });
  let messages = await wire(t, client);
  for (let n of range(20)) client.subscribe(`channel ${n}`);
  client.connect();
  await t.log(client).wait('subscribe', 20);
  assert.equal(Array.isArray(messages[0]), false);
  assert.equal(messages[0].rid, 1);
  assert.equal(messages.length, 2);
  assert.equal(messages[1].length, 20);
  assert.deepEqual(messages[1].map((packet) => packet.rid), range(20).map((n) => n + 2));
}

async function serverStopsBatchingAfterAWhile(t) {
  let server = await t.serve({ options: { batchOnHandshake: true, batchOnHandshakeDuration: 2500, batchInterval: 20 } });
  let client = t.client(server, { autoConnect: false });
  let messages = await wire(t, client);
  await client.invoke('echo', 'early');
  await t.settle();
  assert.deepEqual(messages[1], [{ rid: 2, data: 'early' }]);
  await t.quiet(2700);
  await client.invoke('echo', 'late');
  await t.settle();
  assert.deepEqual(messages[2], { rid: 3, data: 'late' });
}

async function bothSidesBatch(t) {
  let server = await t.serve({ options: { batchOnHandshake: true, batchInterval: 20 } });
  let client = t.client(server, { autoConnect: false, batchOnHandshake: true, batchInterval: 20 });
  let heard = t.collect(client, 'news');
  for (let n of range(10)) client.transmitPublish('news', n);
  assert.deepEqual(await Promise.all(range(10).map((n) => client.invoke('echo', n))), range(10));
  await t.log(client).wait('published', 10);
  assert.deepEqual(heard, range(10));
}

async function batchingByHandKeepsTheOrder(t) {
  let server = await t.serve({ socketEvents: ['message'] });
  let client = await t.connected(server);
  client.startBatching();
  let heard = t.collect(client, 'news');
  client.transmitPublish('news', 1);
  client.transmitPublish('news', 2);
  client.unsubscribe('news');
  client.transmitPublish('news', 3);
  let answer = client.invoke('echo', 'done');
  client.stopBatching();
  assert.equal(await answer, 'done');
  await server.settle();
  let last = JSON.parse(server.log.all('socket.message').slice(-1)[0].message);
  assert.deepEqual(last.map((packet) => packet.event), ['#subscribe', '#publish', '#publish', '#unsubscribe', '#publish', 'echo']);
  assert.deepEqual(heard, []);
}

async function blockedPacketsInABatch(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'subscribe', channel: 'secret', error: { name: 'ForbiddenError', message: 'No' } }] });
  let client = t.client(server, { autoConnect: false, batchOnHandshake: true, batchInterval: 20 });
  for (let name of ['one', 'secret', 'two']) t.collect(client, name);
  let answer = client.invoke('echo', 'fine');
  assert.equal((await t.log(client).wait('subscribeFail')).error.name, 'ForbiddenError');
  await t.log(client).wait('subscribe', 2);
  assert.deepEqual(client.subscriptions(), ['one', 'two']);
  assert.equal(await answer, 'fine');
}

async function serverBatchesByHand(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let messages = await wire(t, client);
  let heard = [];
  t.follow(client.receiver('told'), (data) => heard.push(data));
  await server.call('script', { steps: [['startBatch'], ['transmit', 'told', 1], ['transmit', 'told', 2]] });
  await server.call('script', { steps: [['flushBatch']] });
  await t.passed(client);
  assert.deepEqual(heard, [1, 2]);
  assert.deepEqual(messages[0], [{ event: 'told', data: 1 }, { event: 'told', data: 2 }]);
}

async function publicationsInABatch(t) {
  let server = await t.serve({ options: { batchOnHandshake: true, batchInterval: 50, batchOnHandshakeDuration: 30000 } });
  let client = t.client(server);
  let messages = await wire(t, client);
  let heard = await t.subscribed(client, 'news');
  for (let n of range(5)) await server.call('publish', { channel: 'news', data: n });
  await t.log(client).wait('published', 5);
  assert.deepEqual(heard, range(5));
  for (let message of messages.slice(1)) assert.equal(Array.isArray(message), true);
}

module.exports = {
  clientBatchesItsSubscriptions, serverBatchesOnHandshake, serverStopsBatchingAfterAWhile, bothSidesBatch,
  batchingByHandKeepsTheOrder, blockedPacketsInABatch, serverBatchesByHand, publicationsInABatch
};
