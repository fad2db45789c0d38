'use strict';

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);

async function subscribeThenPublish(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = t.collect(client, 'news');
  client.transmitPublish('news', 'transmitted');
  await client.invokePublish('news', 'invoked');
  await t.log(client).wait('published', 2);
  assert.deepEqual(heard, ['transmitted', 'invoked']);
  assert.equal(client.isSubscribed('news'), true);
}

async function subscribedAndPublishedBeforeConnecting(t) {
  let server = await t.serve();
  let client = t.client(server, { autoConnect: false });
  let heard = t.collect(client, 'news');
  client.transmitPublish('news', 'early');
  await t.log(client).wait('published');
  assert.deepEqual(heard, ['early']);
}

async function messagesFromOthersInOrder(t) {
  let server = await t.serve();
  let [writer, reader] = [await t.connected(server), await t.connected(server)];
  let heard = await t.subscribed(reader, 'news');
  let sent = range(50).map((n) => (n % 2 ? `text ${n}` : { n, nested: [n] }));
  for (let data of sent) data.n % 4 ? writer.invokePublish('news', data) : writer.transmitPublish('news', data);
  await t.log(reader).wait('published', 50);
  assert.deepEqual(heard, sent);
}

async function burstToASlowConsumer(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let channel = client.subscribe('news');
  await channel.listener('subscribe').once();
  let heard = [];
  let pressures = [];
  let done = (async () => {
    for await (let data of channel) {
      if (!heard.length) await t.log(client).wait('burst arrived');
      heard.push(data);
      pressures.push(channel.getOutputBackpressure());
      if (heard.length === 50) break;
    }
  })();
  for (let n of range(50)) client.transmitPublish('news', n);
  await t.passed(client);
  t.log(client).add('burst arrived');
  await done;
  assert.deepEqual(heard, range(50));
  assert.deepEqual(pressures, range(50).reverse());
}

async function unsubscribeEndsDelivery(t) {
  let server = await t.serve();
  let [writer, reader] = [await t.connected(server), await t.connected(server)];
  let heard = await t.subscribed(reader, 'news');
  await writer.invokePublish('news', 1);
  await t.log(reader).wait('published');
  reader.unsubscribe('news');
  await server.wait('unsubscription');
  await writer.invokePublish('news', 2);
  await t.passed(reader);
  assert.deepEqual(heard, [1]);
  assert.deepEqual((await server.call('exchange', { channel: 'news' })).broker, []);
}

async function subscribeAndUnsubscribeInAllOrders(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let other = await t.connected(server);
  let heard = t.collect(client, 'news');
  client.unsubscribe('news');
  client.subscribe('news');
  client.unsubscribe('news');
  client.subscribe('news');
  await t.passed(client);
  await other.invokePublish('news', 'in');
  await t.log(client).wait('published');
  client.unsubscribe('news');
  client.subscribe('news');
  client.unsubscribe('news');
  await t.passed(client);
  await other.invokePublish('news', 'out');
  await t.passed(client);
  assert.deepEqual(heard, ['in']);
  let socket = await server.call('socket', { id: client.id });
  assert.deepEqual([socket.subscriptions, socket.count], [[], 0]);
}

async function subscriptionEvents(t) {
  let server = await t.serve({ socketEvents: ['subscribe', 'unsubscribe'] });
  let client = await t.connected(server);
  client.subscribe('news', { data: { since: 5 } });
  let { channel, subscriptionOptions } = await server.wait('socket.subscribe');
  assert.deepEqual({ channel, subscriptionOptions }, { channel: 'news', subscriptionOptions: { data: { since: 5 } } });
  let { id, state, ...rest } = await server.wait('subscription');
  assert.deepEqual([id, state, rest], [client.id, 'open', { channel: 'news', subscriptionOptions: { data: { since: 5 } } }]);
  client.unsubscribe('news');
  assert.deepEqual(await server.wait('socket.unsubscribe'), { channel: 'news' });
  assert.deepEqual(await server.wait('unsubscription'), { id: client.id, state: 'open', channel: 'news' });
}

async function manyChannels(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let names = range(200).map((n) => `channel ${n}`);
  let heard = await t.subscribed(client, ...names);
  for (let name of names) client.transmitPublish(name, name);
  await t.log(client).wait('published', names.length);
  assert.deepEqual(heard.flat(), names);
  let socket = await server.call('socket', { id: client.id });
  assert.equal(socket.count, 200);
  client.unsubscribe('channel 7');
  await t.passed(client);
  assert.equal((await server.call('socket', { id: client.id })).count, 199);
}

async function similarNamesAreApart(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let names = ['a', 'a/b', 'a/b/c', 'A', ' a', '__class__', 'ünï', '0'];
  let heard = await t.subscribed(client, ...names);
  for (let name of names) await client.invokePublish(name, name);
  await t.log(client).wait('published', names.length);
  assert.deepEqual(heard, names.map((name) => [name]));
}

async function channelPrefixOfTheClient(t) {
  let server = await t.serve();
  let client = await t.connected(server, { channelPrefix: 'team:' });
  let heard = await t.subscribed(client, 'news');
  await server.call('publish', { channel: 'news', data: 'not for you' });
  await server.call('publish', { channel: 'team:news', data: 'for you' });
  await t.log(client).wait('published');
  assert.deepEqual(heard, ['for you']);
}

async function publishFromTheExchange(t) {
  let server = await t.serve();
  let clients = [await t.connected(server), await t.connected(server), await t.connected(server)];
  let heard = [];
  for (let client of clients.slice(0, 2)) heard.push(await t.subscribed(client, 'news'));
  for (let n of range(10)) await server.call(n % 2 ? 'publish' : 'invokePublish', { channel: 'news', data: { n } });
  for (let client of clients.slice(0, 2)) await t.log(client).wait('published', 10);
  assert.deepEqual(heard, [range(10).map((n) => ({ n })), range(10).map((n) => ({ n }))]);
}

async function exchangeSubscribes(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let state = await server.call('watch', { channel: 'news' });
  assert.deepEqual(state, { subscribed: true, subscriptions: ['news'], broker: ['news'] });
  for (let n of range(10)) client.transmitPublish('news', n);
  await server.call('publish', { channel: 'news', data: 'own' });
  await server.wait('watched', 11);
  await server.wait('watchedToo', 11);
  let sort = (list) => [...list].sort((a, b) => (typeof a === 'number') - (typeof b === 'number') || 0);
  for (let name of ['watched', 'watchedToo']) {
    let data = server.log.all(name).map((event) => event.data);
    assert.deepEqual(data.filter((each) => each !== 'own'), range(10), String(sort(data)));
  }
  state = await server.call('unwatch', { channel: 'news' });
  assert.deepEqual([state.subscribed, state.subscriptions], [false, []]);
  await server.wait('watchEnded');
}

async function kickOutOfOne(t) {
  let server = await t.serve({ socketEvents: ['error', 'unsubscribe'] });
  let client = await t.connected(server);
  await t.subscribed(client, 'one', 'two');
  let after = await server.call('kickOut', { id: client.id, args: ['one', 'You were too loud'] });
  assert.deepEqual(after, { subscriptions: ['two'], count: 1 });
  assert.deepEqual(await t.log(client).wait('kickOut'), { channel: 'one', message: 'You were too loud' });
  assert.equal((await t.log(client).wait('unsubscribe')).channel, 'one');
  assert.deepEqual(client.subscriptions(), ['two']);
  await server.settle();
  assert.deepEqual(server.log.all('socket.error'), []);
  assert.deepEqual(await server.wait('socket.unsubscribe'), { channel: 'one' });
}

async function kickOutOfSeveral(t) {
  let server = await t.serve({ socketEvents: ['error'] });
  let client = await t.connected(server);
  await t.subscribed(client, 'one', 'two', 'three');
  let after = await server.call('kickOut', { args: [['one', 'three'], 'Closed'] });
  assert.deepEqual(after, { subscriptions: ['two'], count: 1 });
  await t.log(client).wait('kickOut', 2);
  assert.deepEqual(t.log(client).all('kickOut').map((event) => event.channel), ['one', 'three']);
  assert.deepEqual(client.subscriptions(), ['two']);
  await server.settle();
  assert.deepEqual(server.log.all('socket.error'), []);
}

async function kickOutOfAll(t) {
  let server = await t.serve({ socketEvents: ['error'] });
  let client = await t.connected(server);
  await t.subscribed(client, 'one', 'two', 'three');
  assert.deepEqual(await server.call('kickOut', { args: [] }), { subscriptions: [], count: 0 });
  await t.log(client).wait('kickOut', 3);
  assert.deepEqual(client.subscriptions(), []);
  assert.deepEqual(server.log.all('socket.error'), []);
}

async function orderAcrossChannels(t) {
  let server = await t.serve();
  let [writer, reader] = [await t.connected(server), await t.connected(server)];
  await t.subscribed(reader, 'a', 'b', 'c');
  for (let n of range(60)) writer.transmitPublish('abc'[n % 3], n);
  await t.log(reader).wait('published', 60);
  assert.deepEqual(t.log(reader).all('published').map((event) => event.data), range(60));
}

// A subscriber that comes and goes gets a message once or not at all, in order, and all while it is subscribed.
async function comingAndGoing(t) {
  let server = await t.serve();
  let writer = await t.connected(server);
  let readers = await Promise.all(range(5).map(() => t.connected(server)));
  let writing = true;
  let published = (async () => {
    for (let n = 0; writing; n++) await writer.invokePublish('news', n);
  })();
  await Promise.all(readers.map(async (reader) => {
    let heard = [];
    t.follow(reader.channel('news'), (data) => heard.push(data));
    for (let round of range(8)) {
      reader.subscribe('news');
      await t.log(reader).wait('subscribe', round + 1);
      let start = heard.length;
      while (heard.length < start + 10) await t.settle();
      reader.unsubscribe('news');
      await t.passed(reader);
      await t.settle();
      let run = heard.slice(start);
      assert.deepEqual(run, range(run.length).map((n) => run[0] + n));
    }
    assert.deepEqual(heard, [...new Set(heard)].sort((a, b) => a - b));
  }));
  writing = false;
  await published;
  await server.settle();
  assert.deepEqual((await server.call('exchange', { channel: 'news' })).broker, []);
}

async function brokerAndExchangeEvents(t) {
  let server = await t.serve({ brokerEvents: ['subscribe', 'unsubscribe', 'publish'], exchangeEvents: ['subscribe', 'unsubscribe'] });
  let [one, two] = [await t.connected(server), await t.connected(server)];
  await t.subscribed(one, 'news');
  await t.subscribed(two, 'news');
  await one.invokePublish('news', 'hello');
  await server.call('watch', { channel: 'news' });
  one.unsubscribe('news');
  two.disconnect();
  await server.wait('unsubscription', 2);
  await server.call('unwatch', { channel: 'news' });
  await server.wait('broker.unsubscribe');
  assert.deepEqual(server.log.all('broker.subscribe'), [{ channel: 'news' }]);
  assert.deepEqual(server.log.all('broker.publish'), [{ channel: 'news', data: 'hello' }]);
  assert.deepEqual(server.log.all('broker.unsubscribe'), [{ channel: 'news' }]);
  assert.deepEqual(server.log.all('exchange.subscribe'), [{ channel: 'news' }]);
  assert.deepEqual(server.log.all('exchange.unsubscribe'), [{ channel: 'news' }]);
}

async function channelLimit(t) {
  let server = await t.serve({ options: { socketChannelLimit: 2 } });
  let client = await t.connected(server);
  await t.subscribed(client, 'one', 'two');
  t.collect(client, 'three');
  let { error, channel } = await t.log(client).wait('subscribeFail');
  assert.equal(channel, 'three');
  assert.equal(error.name, 'BrokerError');
  assert.match(error.message, /^Failed to subscribe socket to the three channel - InvalidActionError: Socket .+ tried to exceed the channel subscription limit of 2$/);
  assert.deepEqual(client.subscriptions(), ['one', 'two']);
  assert.equal((await server.call('socket')).count, 2);
}

async function clientPublishMayBeForbidden(t) {
  let server = await t.serve({ options: { allowClientPublish: false } });
  let client = await t.connected(server);
  let heard = await t.subscribed(client, 'news');
  let error = await t.failure(client.invokePublish('news', 1));
  assert.deepEqual([error.name, error.message], ['InvalidActionError', 'Client publish feature is disabled']);
  client.transmitPublish('news', 2);
  await server.call('publish', { channel: 'news', data: 3 });
  await t.log(client).wait('published');
  assert.deepEqual(heard, [3]);
}

async function malformedRequests(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let cases = [
    ['#subscribe', [], 'Subscribe'], ['#subscribe', null, 'Subscribe'], ['#subscribe', { channel: {} }, 'Subscribe'],
    ['#subscribe', { channel: 5 }, 'Subscribe'], ['#unsubscribe', ['x'], 'Unsubscribe'], ['#unsubscribe', null, 'Unsubscribe'],
    ['#unsubscribe', { channel: 'x' }, 'Unsubscribe'], ['#publish', null, 'Publish'], ['#publish', { channel: {} }, 'Publish'],
    ['#publish', { channel: null }, 'Publish']
  ];
  let failures = await Promise.all(cases.map(([event, data]) => t.failure(client.invoke(event, data))));
  for (let [index, error] of failures.entries()) {
    assert.deepEqual([error.name, error.message], ['InvalidActionError', `${cases[index][2]} channel name was malformatted`]);
  }
  assert.equal(await client.invoke('echo', 'fine'), 'fine');
  assert.equal((await server.call('counts')).clientsCount, 1);
}

async function unsubscribingFromNothing(t) {
  let server = await t.serve({ socketEvents: ['error'] });
  let client = await t.connected(server);
  let error = await t.failure(client.invoke('#unsubscribe', 'never'));
  assert.equal(error.name, 'BrokerError');
  assert.match(error.message, /^Failed to unsubscribe socket from the never channel - InvalidActionError: Socket .+ tried to unsubscribe from a channel which it is not subscribed to$/);
  await t.passed(client);
  await server.settle();
  assert.deepEqual(server.log.all('socket.error').map((event) => event.error.name), ['BrokerError']);
}

async function slowUnsubscriptionKeepsTheOrder(t) {
  let events = ['disconnect', 'close', 'unsubscribe', 'end'];
  let server = await t.serve({ slowUnsubscribe: true, socketEvents: events });
  let client = await t.connected(server);
  await t.subscribed(client, 'one', 'two');
  client.disconnect();
  await server.wait('unsubscribing', 2);
  await server.wait('socket.close');
  assert.deepEqual(server.log.names('socket.disconnect', 'socket.close', 'socket.unsubscribe'), ['socket.disconnect', 'socket.close']);
  await server.call('open', { gate: 'unsubscribe' });
  await server.wait('socket.unsubscribe', 2);
  assert.deepEqual(server.log.names('socket.disconnect', 'socket.close', 'socket.unsubscribe'),
    ['socket.disconnect', 'socket.close', 'socket.unsubscribe', 'socket.unsubscribe']);
  assert.deepEqual(server.log.all('socket.unsubscribe').map((event) => event.channel).sort(), ['one', 'two']);
}

async function disconnectEndsSubscriptions(t) {
  let server = await t.serve({ socketEvents: ['disconnect', 'close', 'unsubscribe'] });
  let client = await t.connected(server);
  await t.subscribed(client, 'one', 'two');
  client.disconnect();
  await server.wait('socket.unsubscribe', 2);
  await server.wait('unsubscription', 2);
  assert.deepEqual(server.log.names('socket.disconnect', 'socket.close', 'socket.unsubscribe'),
    ['socket.disconnect', 'socket.close', 'socket.unsubscribe', 'socket.unsubscribe']);
  assert.deepEqual(server.log.names('disconnection', 'closure', 'unsubscription'),
    ['disconnection', 'closure', 'unsubscription', 'unsubscription']);
  assert.deepEqual((await server.call('exchange', { channel: 'one' })).broker, []);
}

async function farewellsDoNotReachTheOneWhoLeft(t) {
  let server = await t.serve({ publishOnUnsubscribe: true });
  let [leaver, stayer] = [await t.connected(server), await t.connected(server)];
  let { id } = leaver;
  let leaverHeard = await t.subscribed(leaver, 'room');
  let stayerHeard = await t.subscribed(stayer, 'room');
  leaver.unsubscribe('room');
  await server.wait('farewell');
  await t.log(stayer).wait('published');
  await t.passed(leaver);
  assert.deepEqual(stayerHeard, [`${id} left`]);
  assert.deepEqual(leaverHeard, []);
}

async function farewellsWithASlowBroker(t) {
  let server = await t.serve({ publishOnUnsubscribe: true, slowUnsubscribe: true });
  let [leaver, stayer] = [await t.connected(server), await t.connected(server)];
  let leaverHeard = await t.subscribed(leaver, 'room');
  let stayerHeard = await t.subscribed(stayer, 'room');
  leaver.unsubscribe('room');
  await server.wait('unsubscribing');
  await server.call('open', { gate: 'unsubscribe' });
  await server.wait('farewell');
  await t.log(stayer).wait('published');
  await t.passed(leaver);
  assert.equal(stayerHeard.length, 1);
  assert.deepEqual(leaverHeard, []);
}

async function disconnectWhileSubscribing(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'subscribe', hold: 'door' }] });
  let client = await t.connected(server);
  t.collect(client, 'news');
  await server.wait('action');
  client.disconnect();
  await server.wait('disconnection');
  await server.call('open', { gate: 'door' });
  await t.quiet();
  assert.deepEqual(t.log(client).names('subscribe', 'subscribeFail'), []);
  let next = await t.connected(server);
  assert.equal(await next.invoke('echo', 1), 1);
}

async function subscriptionsComeBackAfterAReconnect(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = await t.subscribed(client, 'one', 'two');
  client.reconnect();
  await t.log(client).wait('subscribe', 4);
  await server.call('publish', { channel: 'one', data: 1 });
  await server.call('publish', { channel: 'two', data: 2 });
  await t.log(client).wait('published', 2);
  assert.deepEqual(heard, [[1], [2]]);
}

module.exports = {
  subscribeThenPublish, subscribedAndPublishedBeforeConnecting, messagesFromOthersInOrder, burstToASlowConsumer,
  unsubscribeEndsDelivery, subscribeAndUnsubscribeInAllOrders, subscriptionEvents, manyChannels, similarNamesAreApart,
  channelPrefixOfTheClient, publishFromTheExchange, exchangeSubscribes, kickOutOfOne, orderAcrossChannels, comingAndGoing, brokerAndExchangeEvents, kickOutOfSeveral, kickOutOfAll, channelLimit,
  clientPublishMayBeForbidden, malformedRequests, unsubscribingFromNothing, slowUnsubscriptionKeepsTheOrder,
  disconnectEndsSubscriptions, farewellsDoNotReachTheOneWhoLeft, farewellsWithASlowBroker, disconnectWhileSubscribing,
  subscriptionsComeBackAfterAReconnect
};
