'use strict';

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);

async function subscribeAndPublish(t) {
  let server = await t.serve();
  let client = t.client(server, { autoConnect: false });
  let heard = t.collect(client, 'news');
  client.publish('news', 'early');
  assert.deepEqual(await t.publish(client, 'news', { two: 2 }), { error: null, ackData: undefined });
  await t.log(client).wait('published', 2);
  assert.deepEqual(heard, ['early', { two: 2 }]);
}

async function othersInOrder(t) {
  let server = await t.serve({ app: { watch: ['news'] } });
  let [writer, reader] = [await t.connected(server), await t.connected(server)];
  let heard = await t.subscribed(reader, 'news');
  for (let n of range(50)) writer.publish('news', n);
  await t.log(reader).wait('published', 50);
  assert.deepEqual(heard, range(50));
  await server.log.until('all watched', () => server.log.all('other').length === 50);
  assert.deepEqual(server.log.all('other').map(({ data }) => data), range(50));
}

async function serverPublishes(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = await t.subscribed(client, 'news');
  await t.invoke(client, 'publish', { channel: 'news', data: 1 });
  await t.invoke(client, 'burst', { channel: 'news', count: 5 });
  await t.log(client).wait('published', 6);
  assert.deepEqual(heard, [1, 0, 1, 2, 3, 4]);
}

async function serversOwnChannels(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  assert.deepEqual(await t.invoke(client, 'exchange'), {
    before: [true, ['x'], 'subscribed'], after: [false, [], 'unsubscribed'], watchers: 0 });
}

async function ackData(t) {
  let server = await t.serve({ app: { middleware: { publishIn: [{ ackData: { id: 7 } }] } } });
  let client = await t.connected(server);
  assert.deepEqual(await t.publish(client, 'news', 1), { error: null, ackData: { id: 7 } });
}

async function subscriptionEvents(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await t.subscribed(client, 'news', { data: { why: 'curious' } });
  let [channel, options] = await server.wait('socket.subscribe');
  assert.deepEqual([channel, options.data], ['news', { why: 'curious' }]);
  assert.equal((await server.wait('subscription'))[1], 'news');
  client.unsubscribe('news');
  assert.deepEqual((await server.wait('unsubscription'))[1], 'news');
  assert.deepEqual((await t.invoke(client, 'state')).subscriptions, []);
}

async function batchedSubscriptions(t) {
  let server = await t.serve({ app: { middleware: { subscribe: [{}] } } });
  let client = t.client(server, { autoConnect: false });
  let names = range(20).map((n) => `channel ${n}`);
  for (let name of names) client.subscribe(name, { batch: true });
  client.connect();
  await t.log(client).wait('subscribe', 20);
  await server.wait('action', 20);
  assert.deepEqual(server.log.all('action').map((action) => action.channel), names);
  let packets = server.log.all('socket.message').map(([message]) => JSON.parse(message));
  assert.deepEqual(packets.find(Array.isArray).map((packet) => packet.data.channel), names);
  let answers = t.log(client).all('message').map(([message]) => JSON.parse(message)).filter(Array.isArray);
  assert.equal(answers.flat().length, 20);
}

async function unsubscribeEndsDelivery(t) {
  let server = await t.serve({ app: { holdUnsubscribe: true, publishOnUnsubscribe: true } });
  let client = await t.connected(server);
  let heard = await t.subscribed(client, 'news');
  client.emit('#unsubscribe', 'news');
  await server.call('release');
  await server.wait('socket.unsubscribe');
  await t.passed(client);
  assert.deepEqual(heard, []);
}

async function unsubscribingTwice(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  assert.equal((await t.answer(client, '#unsubscribe', 'nowhere')).error.name, 'BrokerError');
  assert.equal((await server.wait('socket.error'))[0].name, 'BrokerError');
  await t.passed(client);
  assert.equal(server.log.all('socket.error').length, 1);
}

async function slowUnsubscribeOnClose(t) {
  let server = await t.serve({ app: { holdUnsubscribe: true } });
  let client = await t.connected(server);
  await t.subscribed(client, 'one');
  await t.subscribed(client, 'two');
  client.disconnect();
  await server.call('release');
  await server.wait('socket.close');
  assert.deepEqual(server.log.all('socket.unsubscribe'), [['one'], ['two']]);
  assert.deepEqual(server.log.names('socket.unsubscribe', 'socket.disconnect'), ['socket.unsubscribe', 'socket.unsubscribe', 'socket.disconnect']);
}

async function malformedPackets(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  for (let [event, data] of [
    ['#subscribe', [[123, { channel: 5 }]]], ['#subscribe', null], ['#subscribe', { channel: { a: 1 } }], ['#unsubscribe', { channel: 1 }],
    ['#unsubscribe', null], ['#unsubscribe', []], ['#publish', null], ['#publish', { channel: { a: 1 }, data: 1 }],
    ['#publish', { channel: null }]]) {
    assert.equal((await t.answer(client, event, data)).error.name, 'BrokerError', event);
  }
  assert.equal(await t.invoke(client, 'echo', 'still there'), 'still there');
}

async function kickOut(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await t.subscribed(client, 'one');
  await t.subscribed(client, 'two');
  assert.deepEqual(await t.invoke(client, 'expel', { channel: 'one', message: 'out' }), ['two']);
  assert.deepEqual(await t.log(client).wait('kickOut'), ['out', 'one']);
  assert.deepEqual(client.subscriptions(), ['two']);
  assert.equal((await t.invoke(client, 'state')).count, 1);
  assert.deepEqual(server.log.all('socket.error'), []);
}

// In the reference the broker goes on sending what is published in these channels.
async function kickOutOfAll(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = await t.subscribed(client, 'one');
  await t.subscribed(client, 'two');
  client.isSubscribed = () => true;
  assert.deepEqual(await t.invoke(client, 'expel', { message: 'all out' }), []);
  await t.log(client).wait('kickOut', 2);
  await t.publish(client, 'one', 1);
  await t.passed(client);
  assert.deepEqual([(await t.invoke(client, 'state')).count, heard], [0, []]);
}

async function waitForAuth(t) {
  let server = await t.serve({ app: { middleware: { subscribe: [{}] } } });
  let client = await t.connected(server);
  let heard = t.collect(client, 'private', { waitForAuth: true });
  await t.passed(client);
  assert.equal(client.channel('private').state, 'pending');
  client.emit('login', { token: { username: 'ann' } });
  await t.log(client).wait('subscribe');
  assert.equal((await server.wait('action')).waitForAuth, true);
  await t.publish(client, 'private', 1);
  await t.log(client).wait('published');
  assert.deepEqual(heard, [1]);
}

async function failingSubscriptions(t) {
  let server = await t.serve({ options: { socketChannelLimit: 1 } });
  let client = await t.connected(server);
  await t.subscribed(client, 'one');
  client.subscribe('two');
  let [error, channel] = await t.log(client).wait('subscribeFail');
  assert.deepEqual([error.name, channel], ['BrokerError', 'two']);
  assert.equal((await t.invoke(client, 'state')).count, 1);
}

async function publishingDisabled(t) {
  let server = await t.serve({ options: { allowClientPublish: false } });
  let client = await t.connected(server);
  let { error } = await t.publish(client, 'news', 1);
  assert.deepEqual([error.name, error.message], ['InvalidActionError', 'Client publish feature is disabled']);
}

// A rule about channels must see subscriptions that consist of nothing but the channel's name.
async function textChannelsAreSeen(t) {
  let server = await t.serve({ app: { middleware: { subscribe: [{ name: 'secret', block: { name: 'NoError', message: 'no' } }] } } });
  let client = await t.connected(server);
  assert.equal((await t.answer(client, '#subscribe', 'secret')).error.name, 'NoError');
}

async function textChannels(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  assert.equal((await t.answer(client, '#subscribe', 'news')).error, null);
  assert.deepEqual((await t.invoke(client, 'state')).subscriptions, ['news']);
}

module.exports = {
  subscribeAndPublish, othersInOrder, serverPublishes, serversOwnChannels, ackData, subscriptionEvents, batchedSubscriptions,
  unsubscribeEndsDelivery, unsubscribingTwice, slowUnsubscribeOnClose, malformedPackets, kickOut, kickOutOfAll, waitForAuth,
  failingSubscriptions, publishingDisabled, textChannelsAreSeen, textChannels
};
