'use strict';

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);
const NAMED = { name: 'NotTodayError', message: 'not today' };

async function connectStatus(t) {
  let server = await t.serve();
  let client = t.client(server);
  let [status] = await t.log(client).wait('connect');
  assert.equal(status.id, client.id);
  assert.deepEqual([status.pingTimeout, status.isAuthenticated, 'authError' in status], [20000, false, false]);
  let [, seen] = await server.wait('connection');
  assert.deepEqual(seen, { id: client.id, pingTimeout: 20000, isAuthenticated: false });
  await server.wait('socket.connect');
  assert.deepEqual(server.log.names('handshake', 'socket.connect', 'connection'), ['handshake', 'socket.connect', 'connection']);
  assert.deepEqual(await t.invoke(client, 'counts'), { clients: 1, pending: 0, registered: 1 });
}

async function whatIsSentOnConnect(t) {
  let server = await t.serve({ app: { greet: 'welcome' } });
  let client = t.client(server);
  assert.equal(await new Promise((resolve) => client.on('greeting', resolve)), 'welcome');
  await t.log(client).wait('connect');
}

async function pingsAndPongs(t) {
  let server = await t.serve({ options: { pingInterval: 450, pingTimeout: 3000 } });
  let client = await t.connected(server);
  await server.log.until('eight pongs', () => server.log.all('socket.message').filter(([message]) => message === '#2').length >= 8);
  assert.equal(client.state, 'open');
  assert.deepEqual([server.log.all('warning'), t.log(client).all('error')], [[], []]);
}

async function silentClient(t) {
  let server = await t.serve({ options: { pingInterval: 20000, pingTimeout: 2500 } });
  let client = await t.connected(server, { pingTimeoutDisabled: true });
  assert.equal((await t.log(client).wait('disconnect'))[0], 4001);
  assert.equal((await server.wait('closure'))[1], 4001);
  assert.equal((await server.wait('warning'))[0].name, 'SocketProtocolError');
}

async function silentServer(t) {
  let server = await t.serve({ options: { pingTimeoutDisabled: true, pingTimeout: 300 } });
  let client = await t.connected(server);
  assert.equal((await t.log(client).wait('disconnect'))[0], 4000);
  assert.equal((await t.log(client).wait('error'))[0].name, 'SocketProtocolError');
  assert.equal((await server.wait('disconnection'))[1], 4000);
}

async function pingTimeoutDisabled(t) {
  let server = await t.serve({ options: { pingTimeoutDisabled: true, pingTimeout: 200, pingInterval: 50 } });
  let client = await t.connected(server, { pingTimeoutDisabled: true });
  await t.quiet(700);
  assert.equal(await t.invoke(client, 'echo', 1), 1);
  assert.deepEqual([server.log.all('warning'), t.log(client).all('error')], [[], []]);
}

async function clientCloses(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await t.subscribed(client, 'news');
  client.disconnect(4445, 'done');
  assert.deepEqual((await server.wait('closure')).slice(1), [4445, 'done']);
  assert.deepEqual(await server.wait('socket.close'), [4445, 'done']);
  await server.wait('warning');
  let order = ['socket.unsubscribe', 'unsubscription', 'disconnection', 'closure', 'socket.disconnect', 'socket.close', 'warning'];
  assert.deepEqual(server.log.names(...order, 'connectionAbort', 'socket.connectAbort'), order);
}

async function clientClosesNormally(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  client.disconnect();
  assert.equal((await server.wait('disconnection'))[1], 1000);
  await server.wait('socket.close');
  assert.deepEqual([server.log.all('warning'), t.log(client).all('error')], [[], []]);
}

async function clientClosesBeforeTheHandshake(t) {
  let server = await t.serve({ app: { middleware: { handshakeSC: [{ hold: true }] } } });
  let client = t.client(server);
  await server.wait('action');
  client.disconnect(4444, 'changed my mind');
  assert.equal((await t.log(client).wait('connectAbort'))[0], 4444);
  await server.wait('connectionAbort');
  await server.wait('closure');
  await server.call('release');
  await t.quiet();
  assert.deepEqual([server.log.all('connection'), server.log.all('disconnection')], [[], []]);
}

async function serverCloses(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  client.emit('hangUp', { code: 4200, reason: 'go away' });
  assert.deepEqual(await t.log(client).wait('disconnect'), [4200, 'go away']);
  let [error] = await t.log(client).wait('error');
  assert.deepEqual([error.name, error.code], ['SocketProtocolError', 4200]);
}

async function serverDestroys(t) {
  let server = await t.serve();
  let [client, other] = [await t.connected(server), await t.connected(server)];
  client.emit('destroy', { code: 4100, reason: 'for good' });
  assert.deepEqual(await t.log(client).wait('disconnect'), [4100, 'for good']);
  await server.wait('other', 2);
  assert.deepEqual(server.log.all('other'), [{ active: true }, { active: false }]);
  assert.deepEqual(await t.invoke(other, 'counts'), { clients: 1, pending: 0, registered: 1 });
}

async function permanentCode(t) {
  let server = await t.serve();
  let client = await t.connected(server, { autoReconnect: true, autoReconnectOptions: { initialDelay: 5, randomness: 0 } });
  client.emit('hangUp', { code: 4501, reason: 'banned' });
  assert.equal((await t.log(client).wait('disconnect'))[0], 4501);
  await t.quiet();
  assert.equal(server.log.all('handshake').length, 1);
}

async function serverGoesAndComesBack(t) {
  let server = await t.serve();
  let client = await t.connected(server, { autoReconnect: true, autoReconnectOptions: { initialDelay: 30, randomness: 0, multiplier: 1 } });
  let heard = await t.subscribed(client, 'news');
  await server.stop();
  await t.log(client).wait('disconnect');
  await server.start(server.port);
  await t.log(client).wait('subscribe', 2);
  assert.equal((await t.publish(client, 'news', 'we are back')).error, null);
  await t.log(client).wait('published');
  assert.deepEqual(heard, ['we are back']);
}

async function disconnectAndConnect(t) {
  let server = await t.serve();
  let client = t.client(server);
  client.disconnect(4444, 'in haste');
  client.connect();
  await t.log(client).wait('connect');
  client.disconnect(4455, 'enough');
  client.connect();
  await t.log(client).wait('connect', 2);
  assert.deepEqual(t.log(client).names('connectAbort', 'connect', 'disconnect'), ['connectAbort', 'connect', 'disconnect', 'connect']);
  await server.waitFor('disconnection', ([, code]) => code === 4455);
}

async function tooEarly(t) {
  let server = await t.serve();
  let client = t.client(server, { authEngine: { ...t.store(), loadToken: () => null } });
  await server.wait('handshake');
  let webSocket = client.transport.socket;
  if (webSocket.readyState !== webSocket.OPEN) await new Promise((resolve) => webSocket.once('open', resolve));
  webSocket.send(Buffer.alloc(0));
  assert.equal((await t.log(client).wait('connectAbort'))[0], 4009);
  assert.equal((await server.wait('closure'))[1], 4009);
}

async function tooEarlyAndTolerated(t) {
  let server = await t.serve({ options: { strictHandshake: false } });
  let loaded;
  let client = t.client(server, { authEngine: { ...t.store(), loadToken: (name, callback) => (loaded = callback) } });
  await server.wait('handshake');
  let webSocket = client.transport.socket;
  if (webSocket.readyState !== webSocket.OPEN) await new Promise((resolve) => webSocket.once('open', resolve));
  webSocket.send('{"event":"#subscribe","data":{"channel":"x"},"cid":99}');
  await server.wait('warning');
  loaded(null, null);
  await t.log(client).wait('connect');
  assert.equal(server.log.all('subscription').length, 0);
}

async function slowHandshake(t) {
  let server = await t.serve({ app: { middleware: { handshakeSC: [{ delay: 300 }] } } });
  let started = Date.now();
  await t.connected(server);
  assert.equal(Date.now() - started >= 290, true);
}

async function multiplexedClientsShareASocket(t) {
  let server = await t.serve();
  let [one, two] = [t.client(server, { multiplex: true }), t.client(server, { multiplex: true })];
  assert.equal(one, two);
  await t.log(one).wait('connect');
  assert.equal((await t.invoke(one, 'counts')).clients, 1);
}

async function aHundredClients(t) {
  let server = await t.serve();
  let clients = range(100).map(() => t.client(server));
  assert.deepEqual(await Promise.all(clients.map((client, n) => t.invoke(client, 'echo', n))), range(100));
  assert.equal((await t.invoke(clients[0], 'counts')).clients, 100);
  await server.wait('connection', 100);
}

async function connectionIsRefused(t) {
  let server = await t.serve({ options: { origins: 'example.com:*' }, app: { middleware: { handshakeWS: [{ block: NAMED }] } } });
  let client = t.client(server);
  assert.equal((await t.log(client).wait('connectAbort'))[0], 1006);
  assert.equal((await server.wait('warning'))[0].name, 'ServerProtocolError');
  assert.equal(server.log.all('action').length, 0);
}

module.exports = {
  connectStatus, whatIsSentOnConnect, pingsAndPongs, silentClient, silentServer, pingTimeoutDisabled, clientCloses,
  clientClosesNormally, clientClosesBeforeTheHandshake, serverCloses, serverDestroys, permanentCode, serverGoesAndComesBack,
  disconnectAndConnect, tooEarly, tooEarlyAndTolerated, slowHandshake, multiplexedClientsShareASocket, aHundredClients,
  connectionIsRefused
};
