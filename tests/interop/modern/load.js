'use strict';

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);
const QUIETLY = { serverEvents: ['connection', 'disconnection', 'warning'] };

async function aHundredClientsInOneBurst(t) {
  let server = await t.serve(QUIETLY);
  let clients = range(100).map(() => t.client(server));
  let answers = await Promise.all(clients.map((client, n) => client.invoke('echo', n)));
  assert.deepEqual(answers, range(100));
  await server.wait('connection', 100);
  let ids = new Set(server.log.all('connection').map((event) => event.id));
  assert.deepEqual([ids.size, server.log.all('connection').length], [100, 100]);
  assert.deepEqual(new Set((await server.call('counts')).clients), ids);
  for (let client of clients) client.disconnect();
  await server.wait('disconnection', 100);
  let { clientsCount, pendingClientsCount } = await server.call('counts');
  assert.deepEqual([clientsCount, pendingClientsCount], [0, 0]);
}

async function fiveHundredClients(t) {
  let server = await t.serve(QUIETLY);
  let clients = range(500).map(() => t.client(server));
  let heard = await Promise.all(clients.map((client) => t.subscribed(client, 'everyone')));
  await Promise.all(clients.map((client, n) => client.invoke('echo', n)));
  for (let n of range(3)) clients[n].transmitPublish('everyone', 'hello');
  await Promise.all(clients.map((client) => t.log(client).wait('published', 3)));
  for (let messages of heard) assert.deepEqual(messages, ['hello', 'hello', 'hello']);
  assert.equal((await server.call('counts')).clientsCount, 500);
  for (let client of clients) client.disconnect();
  await server.wait('disconnection', 500);
  assert.deepEqual((await server.call('exchange', { channel: 'everyone' })).broker, []);
  assert.deepEqual(server.log.all('warning'), []);
}

async function everybodyComesBackAfterARestart(t) {
  let server = await t.serve(QUIETLY);
  let clients = range(100).map(() => t.client(server, { autoReconnect: true, autoReconnectOptions: { initialDelay: 20, randomness: 50, multiplier: 1 } }));
  let heard = await Promise.all(clients.map((client) => t.subscribed(client, 'everyone')));
  await server.stop();
  await Promise.all(clients.map((client) => t.log(client).wait('disconnect')));
  await server.start(server.port);
  await Promise.all(clients.map((client) => t.log(client).wait('subscribe', 2)));
  await server.call('publish', { channel: 'everyone', data: 'welcome back' });
  await Promise.all(clients.map((client) => t.log(client).wait('published')));
  for (let messages of heard) assert.deepEqual(messages, ['welcome back']);
  assert.equal((await server.call('counts')).clientsCount, 100);
}

async function everybodyReconnectsAtOnce(t) {
  let server = await t.serve(QUIETLY);
  let clients = await Promise.all(range(50).map(() => t.loggedIn(server, { username: 'ann' })));
  for (let round of range(3)) {
    for (let client of clients) client.reconnect();
    await Promise.all(clients.map((client) => t.log(client).wait('connect', round + 2)));
  }
  for (let client of clients) assert.equal(client.authState, 'authenticated');
  await server.wait('disconnection', 150);
  assert.equal((await server.call('counts')).clientsCount, 50);
}

async function manyCallsAtOnce(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let answers = await Promise.all(range(2000).map((n) => client.invoke('echo', { n })));
  assert.deepEqual(answers, range(2000).map((n) => ({ n })));
}

module.exports = { aHundredClientsInOneBurst, fiveHundredClients, everybodyComesBackAfterARestart, everybodyReconnectsAtOnce,
  manyCallsAtOnce };
