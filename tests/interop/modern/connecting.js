'use strict';

const assert = require('node:assert/strict');
const { howToReach } = require('../harness');

async function connectStatus(t) {
  let server = await t.serve({ socketEvents: ['connect'] });
  let client = t.client(server);
  let status = await t.log(client).wait('connect');
  assert.equal(typeof status.id, 'string');
  assert.equal(status.id, client.id);
  assert.equal(status.pingTimeout, 30000);
  assert.equal(status.isAuthenticated, false);
  assert.equal('authError' in status, false);
  assert.equal(client.state, 'open');
  assert.equal(client.authState, 'unauthenticated');
  let expected = { id: client.id, pingTimeout: 30000, isAuthenticated: false };
  assert.deepEqual(await server.wait('socket.connect'), expected);
  assert.deepEqual(await server.wait('connection'), { ...expected, state: 'open' });
}

async function clientLearnsThePingTimeout(t) {
  let server = await t.serve({ options: { pingTimeout: 17000, path: '/elsewhere/' } });
  let client = await t.connected(server, { path: '/elsewhere/' });
  assert.equal(client.pingTimeout, 17000);
  let options = await server.call('options');
  assert.deepEqual(options, { pingTimeout: 17000, optionPingTimeout: 17000, path: '/elsewhere/', ackTimeout: 10000 });
}

async function readyIsEmitted(t) {
  let server = await t.serve({ service: true });
  await server.wait('ready');
  await t.connected(server);
  await server.settle();
  assert.equal(server.log.all('ready').length, 1);
}

async function obsoleteOptionsAreIgnored(t) {
  let server = await t.serve({ options: { authSignAsync: true, authVerifyAsync: false, authTokenName: 'x' } });
  await t.connected(server);
}

async function pendingUntilTheHandshakeIsDone(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeSC', hold: 'door' }] });
  let client = t.client(server);
  await server.waitFor('action', (action) => action.type === 'handshakeSC');
  let { id } = await server.wait('handshake');
  assert.deepEqual(await server.call('counts'), { clientsCount: 0, pendingClientsCount: 1, clients: [], pendingClients: [id] });
  assert.equal(client.state, 'connecting');
  await server.call('open', { gate: 'door' });
  await t.log(client).wait('connect');
  await server.wait('connection');
  assert.deepEqual(await server.call('counts'), { clientsCount: 1, pendingClientsCount: 0, clients: [id], pendingClients: [] });
  assert.deepEqual(server.log.names('handshake', 'connection', 'connectionAbort'), ['handshake', 'connection']);
}

async function clientLeavesWhileItsTokenIsVerified(t) {
  let server = await t.serve({ options: { authEngine: 'slow' } });
  let client = t.client(server, { authEngine: t.store(t.sign({ username: 'bob' })) });
  let verifying = await server.wait('verifying');
  assert.deepEqual(verifying, { hasSocket: true, key: t.defaultServerOptions().authKey });
  client.disconnect();
  await server.wait('closure');
  await server.call('open', { gate: 'verify' });
  await t.quiet();
  assert.deepEqual(await server.call('counts'), { clientsCount: 0, pendingClientsCount: 0, clients: [], pendingClients: [] });
  assert.equal(server.log.all('connection').length, 0);
}

async function slowVerificationStillConnects(t) {
  let server = await t.serve({ options: { authEngine: 'slow' } });
  let client = t.client(server, { authEngine: t.store(t.sign({ username: 'bob' })) });
  await server.wait('verifying');
  await server.call('open', { gate: 'verify' });
  let status = await t.log(client).wait('connect');
  assert.equal(status.isAuthenticated, true);
}

async function queryReachesTheServer(t) {
  let server = await t.serve({ rules: [{ line: 'handshake' }, { line: 'inbound' }] });
  let client = await t.connected(server, { query: { room: 'a b', tag: ['x', 'y'] } });
  await client.invoke('echo', 1);
  for (let type of ['handshakeWS', 'handshakeSC', 'invoke']) {
    let action = await server.waitFor('action', (each) => each.type === type);
    assert.equal(action.url, '/socketcluster/?room=a+b&tag=x&tag=y');
  }
  let socket = await server.call('socket');
  assert.equal(socket.url, '/socketcluster/?room=a+b&tag=x&tag=y');
  assert.equal(socket.remoteAddress, server.socketPath ? null : '127.0.0.1');
}

async function wrongPathIsRefused(t) {
  let server = await t.serve();
  let client = t.client(server, { path: '/nowhere/' });
  let { code } = await t.log(client).wait('connectAbort');
  assert.equal(code, 1006);
  await server.settle();
  assert.equal(server.log.all('handshake').length, 0);
  await t.connected(server);
}

async function foreignOriginIsRefused(t) {
  let server = await t.serve({ options: { origins: 'friend.example:80' } });
  let foreign = t.client(server, { wsOptions: { origin: 'http://enemy.example', rejectUnauthorized: false } });
  assert.equal((await t.log(foreign).wait('connectAbort')).code, 1006);
  await t.connected(server, { wsOptions: { origin: 'http://friend.example', rejectUnauthorized: false } });
}

async function webPagesBesideTheServer(t) {
  let server = await t.serve({ rules: [{ line: 'inbound' }] });
  let client = await t.connected(server);
  let response = await get(server, '/socketcluster/');
  assert.equal(response.statusCode >= 400, true);
  assert.equal(await client.invoke('echo', 'still here'), 'still here');
}

function get({ secure, port, socketPath }, path) {
  let library = require(secure ? 'node:https' : 'node:http');
  let options = { ...(socketPath ? { socketPath } : { host: '127.0.0.1', port }), path, rejectUnauthorized: false };
  return new Promise((resolve, reject) => {
    library.get(options, (response) => response.resume().on('end', () => resolve(response))).on('error', reject);
  });
}

async function serversDoNotShareState(t) {
  let [one, two] = [await t.serve(), await t.serve()];
  let first = await t.connected(one);
  let second = await t.connected(two);
  let heard = await t.subscribed(second, 'news');
  await t.subscribed(first, 'news');
  await first.invokePublish('news', 'one');
  await second.invokePublish('news', 'two');
  await t.log(second).wait('published');
  assert.deepEqual(heard, ['two']);
  assert.equal((await one.call('counts')).clientsCount, 1);
  assert.equal((await two.call('counts')).clientsCount, 1);
}

async function rapidConnectAndDisconnect(t) {
  let server = await t.serve();
  let client = t.client(server);
  let log = t.log(client);
  client.disconnect(1000);
  client.connect();
  client.disconnect(4444, 'in haste');
  client.connect();
  await log.wait('connect');
  client.disconnect(4455, 'enough');
  client.connect();
  await log.wait('connect', 2);
  client.disconnect();
  await log.wait('close', 4);
  assert.deepEqual(log.names('connect', 'connectAbort', 'disconnect', 'close'),
    ['connectAbort', 'close', 'connectAbort', 'close', 'connect', 'disconnect', 'close', 'connect', 'disconnect', 'close']);
  assert.deepEqual(log.all('close').map((event) => event.code), [1000, 4444, 4455, 1000]);
  assert.deepEqual(log.all('close').map((event) => event.reason).slice(1, 3), ['in haste', 'enough']);
  await server.waitFor('disconnection', (event) => event.code === 4455 && event.reason === 'enough');
  await server.wait('disconnection', 2);
  let last = await t.connected(server);
  assert.equal(await last.invoke('echo', 'still there'), 'still there');
  await server.waitFor('connection', (event) => event.id === last.id);
  assert.deepEqual((await server.call('counts')).clients, [last.id]);
}

async function leavingAtEveryStage(t) {
  let server = await t.serve();
  for (let patience of [0, 1, 2, 3, 5, 8, 13, 21]) {
    let client = t.client(server);
    await t.quiet(patience);
    client.disconnect(4000 + 100 + patience, 'gone');
  }
  let stays = await t.connected(server);
  await server.log.until('every handshake to end', () =>
    server.log.all('closure').length === server.log.all('handshake').length - 1);
  let counts = await server.call('counts');
  assert.deepEqual(counts, { clientsCount: 1, pendingClientsCount: 0, clients: [stays.id], pendingClients: [] });
}

async function reconnectMethod(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let log = t.log(client);
  let firstId = client.id;
  client.reconnect(1000, 'once more');
  await log.wait('connect', 2);
  assert.notEqual(client.id, firstId);
  assert.equal(log.all('disconnect')[0].code, 1000);
  assert.equal(log.all('disconnect')[0].reason, 'once more');
  let { code, reason } = await server.wait('disconnection');
  assert.deepEqual({ code, reason }, { code: 1000, reason: 'once more' });
}

async function connectWithOptionsGoesToAnotherServer(t) {
  let [one, two] = [await t.serve(), await t.serve()];
  let client = await t.connected(one);
  if (t.version < 19) {
    client.disconnect();
    client = await t.connected(two);
  } else {
    client.connect(howToReach(two));
    await t.log(client).wait('connect', 2);
  }
  assert.equal((await one.wait('disconnection')).code, 1000);
  assert.equal((await two.wait('connection')).id, client.id);
}

async function connectingTwiceDoesNothing(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  client.connect();
  assert.equal(await client.invoke('echo', 'same'), 'same');
  assert.equal(t.log(client).all('connecting').length + t.log(client).all('connect').length <= 2, true);
  assert.equal((await server.call('counts')).clientsCount, 1);
}

async function serverGoesAndComesBack(t) {
  await goneAndBack(t, await t.serve());
}

// Not one of the server's own methods takes it away but the service that holds it.
async function serviceGoesAndComesBack(t) {
  await goneAndBack(t, await t.serve({ service: true }));
}

async function goneAndBack(t, server) {
  let client = await t.connected(server, { autoReconnect: true, autoReconnectOptions: { initialDelay: 30, randomness: 0, multiplier: 1 } });
  let log = t.log(client);
  let heard = await t.subscribed(client, 'news');
  await server.stop();
  let { code } = await log.wait('disconnect');
  assert.equal(code === 1006 || code === 1001, true, `closed with ${code}`);
  assert.equal(client.channel('news').state, 'pending');
  await server.start(server.port);
  await log.wait('connect', 2);
  await log.wait('subscribe', 2);
  await server.call('publish', { channel: 'news', data: 'we are back' });
  await log.wait('published');
  assert.deepEqual(heard, ['we are back']);
  assert.deepEqual(log.names('unsubscribe', 'disconnect').slice(0, 2), ['unsubscribe', 'disconnect']);
}

async function oneServerAfterTheOtherOnOnePort(t) {
  let server = await t.serve();
  for (let round = 0; round < 5; round++) {
    let client = await t.connected(server);
    assert.equal(await client.invoke('echo', round), round);
    await server.stop();
    await t.log(client).wait('close');
    await server.start(server.port);
  }
  await t.connected(server);
}

module.exports = {
  connectStatus, clientLearnsThePingTimeout, readyIsEmitted, obsoleteOptionsAreIgnored, pendingUntilTheHandshakeIsDone,
  clientLeavesWhileItsTokenIsVerified, slowVerificationStillConnects, queryReachesTheServer, wrongPathIsRefused,
  foreignOriginIsRefused, webPagesBesideTheServer, serversDoNotShareState, rapidConnectAndDisconnect, leavingAtEveryStage, reconnectMethod, serviceGoesAndComesBack,
  connectWithOptionsGoesToAnotherServer, connectingTwiceDoesNothing, serverGoesAndComesBack,
  oneServerAfterTheOtherOnOnePort
};
