'use strict';

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);

async function subscribeThenPublish(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = t.collect(client, 'news');
  client.publish('news', 'one');
  await t.publish(client, 'news', { two: 2 });
  await t.log(client).wait('published', 2);
  assert.deepEqual(heard, ['one', { two: 2 }]);
}

async function subscribedAndPublishedBeforeConnecting(t) {
  let server = await t.serve();
  let client = t.client(server, { autoConnect: false });
  let heard = t.collect(client, 'news');
  client.publish('news', 'early');
  await t.log(client).wait('published');
  assert.deepEqual(heard, ['early']);
}

async function messagesFromOthersInOrder(t) {
  let server = await t.serve();
  let [writer, reader] = [await t.connected(server), await t.connected(server)];
  let heard = await t.subscribed(reader, 'news');
  for (let n of range(50)) writer.publish('news', n);
  await t.log(reader).wait('published', 50);
  assert.deepEqual(heard, range(50));
}

async function unsubscribeEndsDelivery(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = await t.subscribed(client, 'news');
  client.unsubscribe('news');
  await server.wait('unsubscription');
  await server.call('publish', { channel: 'news', data: 1 });
  await t.passed(client);
  assert.deepEqual(heard, []);
}

async function batchedSubscriptions(t) {
  let server = await t.serve({ rules: [{ line: 'inbound' }], socketEvents: ['message'] });
  let client = t.client(server, { autoConnect: false });
  let names = range(20).map((n) => `channel ${n}`);
  for (let name of names) client.subscribe(name, { batch: true });
  client.connect();
  await t.log(client).wait('subscribe', 20);
  await server.settle();
  assert.deepEqual(server.log.all('action').map((action) => action.channel), names);
  let batch = JSON.parse(server.log.all('socket.message')[1].message);
  assert.deepEqual(batch.map((packet) => packet.data.channel), names);
}

async function kickOut(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await t.subscribed(client, 'one', 'two', 'three');
  await server.call('kickOut', { args: [['one', 'two'], 'Closed'] });
  await t.log(client).wait('kickOut', 2);
  assert.deepEqual(t.log(client).all('kickOut'), [{ message: 'Closed', channel: 'one' }, { message: 'Closed', channel: 'two' }]);
  assert.deepEqual(client.subscriptions(), ['three']);
}

async function blockedSubscriptions(t) {
  let error = { name: 'ForbiddenError', message: 'Not for you' };
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'subscribe', channel: 'secret', error }] });
  let client = await t.connected(server);
  t.collect(client, 'secret');
  await t.subscribed(client, 'open');
  let fail = await t.log(client).wait('subscribeFail');
  assert.deepEqual([fail.error.name, fail.error.message, fail.channel], ['ForbiddenError', 'Not for you', 'secret']);
  assert.deepEqual(t.log(client).all('subscribe').map((event) => event.channel), ['open']);
}

async function malformedRequests(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  for (let [event, data] of [['#subscribe', []], ['#subscribe', null], ['#subscribe', { channel: {} }], ['#unsubscribe', ['x']],
    ['#unsubscribe', null], ['#publish', null], ['#publish', { channel: {} }], ['#publish', { channel: null }]]) {
    assert.equal((await t.failure(t.invoke(client, event, data))).name, 'InvalidActionError');
  }
  assert.equal((await t.failure(t.invoke(client, '#unsubscribe', 'never'))).name, 'BrokerError');
  assert.equal(await t.invoke(client, 'echo', 'fine'), 'fine');
}

async function subscriptionsComeBackAfterAReconnect(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = await t.subscribed(client, 'one');
  client.reconnect();
  await t.log(client).wait('subscribe', 2);
  await server.call('publish', { channel: 'one', data: 1 });
  await t.log(client).wait('published');
  assert.deepEqual(heard, [1]);
}

module.exports = {
  subscribeThenPublish, subscribedAndPublishedBeforeConnecting, messagesFromOthersInOrder, unsubscribeEndsDelivery,
  batchedSubscriptions, kickOut, blockedSubscriptions, malformedRequests, subscriptionsComeBackAfterAReconnect
};
