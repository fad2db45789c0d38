'use strict';

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);

async function connectStatus(t) {
  let server = await t.serve();
  let client = t.client(server);
  let { status } = await t.log(client).wait('connect');
  assert.deepEqual(Object.keys(status).sort(), ['authToken', 'id', 'isAuthenticated', 'pingTimeout']);
  assert.equal(status.id, client.id);
  assert.equal(status.pingTimeout, 30000);
  assert.equal(status.isAuthenticated, false);
  assert.deepEqual([client.state, client.authState], ['open', 'unauthenticated']);
  assert.deepEqual(await server.wait('connection'), { id: client.id, state: 'open', pingTimeout: 30000, isAuthenticated: false });
}

async function pingsAreNumberSigns(t) {
  let server = await t.serve({ options: { pingInterval: 450, pingTimeout: 3000 }, socketEvents: ['message'] });
  let client = await t.connected(server);
  await server.log.until('eight pongs', () => server.log.all('socket.message').filter(({ message }) => message === '#2').length >= 8);
  assert.equal(t.log(client).all('message').filter(({ message }) => message === '#1').length >= 8, true);
  assert.equal(client.state, 'open');
  assert.deepEqual(server.log.all('warning'), []);
  assert.deepEqual(t.log(client).all('error'), []);
}

async function silentClientIsClosed(t) {
  let server = await t.serve({ options: { pingInterval: 20000, pingTimeout: 2500 } });
  let client = await t.connected(server, { pingTimeoutDisabled: true });
  assert.equal((await t.log(client).wait('disconnect')).code, 4001);
  let { code, reason } = await server.wait('closure');
  assert.deepEqual([code, reason], [4001, 'Client pong timed out']);
}

async function silentServerIsClosed(t) {
  let server = await t.serve({ options: { pingTimeoutDisabled: true, pingTimeout: 300 } });
  let client = await t.connected(server);
  assert.equal((await t.log(client).wait('disconnect')).code, 4000);
  assert.equal((await server.wait('disconnection')).code, 4000);
}

async function clientCloses(t) {
  let server = await t.serve({ socketEvents: ['disconnect', 'close'] });
  let client = await t.connected(server);
  client.disconnect(4445, 'done');
  let closure = await server.wait('closure');
  assert.deepEqual([closure.code, closure.state], [4445, 'closed']);
  await server.wait('socket.close');
  assert.deepEqual(server.log.names('socket.disconnect', 'socket.close'), ['socket.disconnect', 'socket.close']);
}

async function clientClosesBeforeTheHandshake(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeSC', hold: 'door' }] });
  let client = t.client(server);
  await server.waitFor('action', (action) => action.type === 'handshakeSC');
  client.disconnect(4444, 'changed my mind');
  assert.equal((await t.log(client).wait('connectAbort')).code, 4444);
  let { code, state } = await server.wait('connectionAbort');
  // This client's failing handshake closes the connection before its own disconnect does.
  assert.deepEqual([code, state], [4003, 'closed']);
  assert.equal(server.log.all('disconnection').length, 0);
}

async function serverCloses(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await server.call('script', { steps: [['disconnect', 4200, 'go away']] });
  assert.deepEqual(await t.log(client).wait('disconnect'), { code: 4200, reason: 'go away' });
  let { error } = await t.log(client).wait('error');
  assert.deepEqual([error.name, error.code], ['SocketProtocolError', 4200]);
}

async function permanentCodeKeepsTheClientAway(t) {
  let server = await t.serve();
  let client = await t.connected(server, { autoReconnect: true, autoReconnectOptions: { initialDelay: 5, randomness: 0 } });
  await server.call('script', { steps: [['disconnect', 4501, 'banned']] });
  assert.equal((await t.log(client).wait('disconnect')).code, 4501);
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
  await server.call('publish', { channel: 'news', data: 'we are back' });
  await t.log(client).wait('published');
  assert.deepEqual(heard, ['we are back']);
}

async function rapidConnectAndDisconnect(t) {
  let server = await t.serve();
  let client = t.client(server);
  client.disconnect(4444, 'in haste');
  client.connect();
  await t.log(client).wait('connect');
  client.disconnect(4455, 'enough');
  client.connect();
  await t.log(client).wait('connect', 2);
  await server.wait('disconnection');
  assert.deepEqual(t.log(client).names('connectAbort', 'connect', 'disconnect'), ['connectAbort', 'connect', 'disconnect', 'connect']);
  await server.waitFor('connection', (event) => event.id === client.id);
  assert.deepEqual((await server.call('counts')).clients, [client.id]);
}

async function pongBeforeTheHandshake(t) {
  let server = await t.serve();
  let store = t.store();
  let client = t.client(server, { authEngine: { ...store, loadToken: () => null } });
  await server.wait('handshake');
  let webSocket = client.transport.socket;
  if (webSocket.readyState !== webSocket.OPEN) await new Promise((resolve) => webSocket.once('open', resolve));
  webSocket.send('#2');
  assert.equal((await t.log(client).wait('connectAbort')).code, 4009);
  assert.equal((await server.wait('closure')).code, 4009);
}

async function aHundredClientsInOneBurst(t) {
  let server = await t.serve({ serverEvents: ['connection'] });
  let clients = range(100).map(() => t.client(server));
  assert.deepEqual(await Promise.all(clients.map((client, n) => t.invoke(client, 'echo', n))), range(100));
  assert.equal((await server.call('counts')).clientsCount, 100);
}

async function fiveHundredClients(t) {
  let server = await t.serve({ serverEvents: ['warning'] });
  let clients = range(500).map(() => t.client(server));
  let heard = await Promise.all(clients.map((client) => t.subscribed(client, 'everyone')));
  await server.call('publish', { channel: 'everyone', data: 'hello' });
  await Promise.all(clients.map((client) => t.log(client).wait('published')));
  for (let messages of heard) assert.deepEqual(messages, ['hello']);
  assert.equal((await server.call('counts')).clientsCount, 500);
}

module.exports = {
  connectStatus, pingsAreNumberSigns, silentClientIsClosed, silentServerIsClosed, clientCloses,
  clientClosesBeforeTheHandshake, serverCloses, permanentCodeKeepsTheClientAway, serverGoesAndComesBack,
  rapidConnectAndDisconnect, pongBeforeTheHandshake, aHundredClientsInOneBurst, fiveHundredClients
};
