'use strict';

const assert = require('node:assert/strict');

const ENDINGS = ['connectAbort', 'disconnect', 'close'];
const SOCKET_ENDINGS = ENDINGS.map((name) => `socket.${name}`);
const SERVER_ENDINGS = ['connectionAbort', 'disconnection', 'closure'];

async function clientClosesBeforeTheHandshake(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeSC', hold: 'door' }], socketEvents: ENDINGS });
  let client = t.client(server);
  await server.waitFor('action', (action) => action.type === 'handshakeSC');
  client.disconnect(4444, 'changed my mind');
  let { code, reason } = await t.log(client).wait('connectAbort');
  assert.deepEqual([code, reason], [4444, 'changed my mind']);
  let { id, ...closure } = await server.wait('closure');
  assert.deepEqual(closure, { code: 4444, reason: 'changed my mind', state: 'closed' });
  await server.wait('socket.close');
  assert.deepEqual(server.log.names(...SOCKET_ENDINGS), ['socket.connectAbort', 'socket.close']);
  assert.deepEqual(server.log.names(...SERVER_ENDINGS), ['connectionAbort', 'closure']);
  assert.deepEqual(server.log.all('socket.connectAbort'), [{ code: 4444, reason: 'changed my mind' }]);
  assert.deepEqual(t.log(client).names(...ENDINGS), ['connectAbort', 'close']);
}

// The reference lets such a client in after all when it carries no token, and never forgets it.
async function abandonedHandshakeIsForgotten(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeSC', hold: 'door' }] });
  let client = t.client(server);
  await server.waitFor('action', (action) => action.type === 'handshakeSC');
  client.disconnect(4444, 'changed my mind');
  await server.wait('closure');
  await server.call('open', { gate: 'door' });
  await t.quiet(50);
  assert.equal(server.log.all('connection').length, 0);
  assert.deepEqual(await server.call('counts'), { clientsCount: 0, pendingClientsCount: 0, clients: [], pendingClients: [] });
}

async function clientClosesAfterTheHandshake(t) {
  let server = await t.serve({ socketEvents: ENDINGS });
  let client = await t.connected(server);
  let { id } = client;
  client.disconnect(4445, 'done for today');
  assert.deepEqual(await server.wait('closure'), { id, code: 4445, reason: 'done for today', state: 'closed' });
  await server.wait('socket.close');
  assert.deepEqual(server.log.names(...SOCKET_ENDINGS), ['socket.disconnect', 'socket.close']);
  assert.deepEqual(server.log.names(...SERVER_ENDINGS), ['disconnection', 'closure']);
  assert.deepEqual(server.log.all('socket.disconnect'), [{ code: 4445, reason: 'done for today' }]);
  assert.deepEqual(t.log(client).names(...ENDINGS), ['disconnect', 'close']);
  let { warning } = await server.wait('warning');
  assert.deepEqual([warning.name, warning.code, warning.message],
    ['SocketProtocolError', 4445, 'Socket connection closed with status code 4445 and reason: done for today']);
}

async function normalClosuresAreNoErrors(t) {
  let server = await t.serve({ socketEvents: ['error', 'close'] });
  let client = await t.connected(server);
  client.disconnect();
  let close = await server.wait('socket.close');
  assert.equal(close.code, 1000);
  let second = await t.connected(server);
  await server.call('script', { id: second.id, steps: [['disconnect']] });
  assert.equal((await t.log(second).wait('disconnect')).code, 1000);
  await server.wait('socket.close', 2);
  await t.quiet(50);
  assert.deepEqual(server.log.names('warning', 'socket.error'), []);
  assert.deepEqual(t.log(second).all('error'), []);
}

async function serverClosesWithItsOwnCode(t) {
  let server = await t.serve({ socketEvents: ENDINGS });
  let client = await t.connected(server);
  let { id } = client;
  await server.call('script', { steps: [['disconnect', 4200, 'ünd tschüss']] });
  assert.deepEqual(await t.log(client).wait('disconnect'), { code: 4200, reason: 'ünd tschüss' });
  assert.deepEqual(await server.wait('closure'), { id, code: 4200, reason: 'ünd tschüss', state: 'closed' });
  assert.deepEqual(server.log.names(...SERVER_ENDINGS), ['disconnection', 'closure']);
  let { error } = await t.log(client).wait('error');
  assert.deepEqual([error.name, error.code], ['SocketProtocolError', 4200]);
  assert.equal((await server.wait('warning')).warning.code, 4200);
}

async function serverClosesBeforeTheHandshake(t) {
  let server = await t.serve({ options: { handshakeTimeout: 2500 }, socketEvents: ENDINGS });
  let never = { ...t.store(), loadToken: () => new Promise(() => {}) };
  let client = t.client(server, { authEngine: never });
  assert.equal((await t.log(client).wait('connectAbort')).code, 4005);
  await server.wait('socket.close');
  assert.deepEqual(server.log.names(...SOCKET_ENDINGS), ['socket.connectAbort', 'socket.close']);
}

async function drainingCodeIsNoErrorForTheClient(t) {
  let server = await t.serve();
  let client = await t.connected(server, { autoReconnect: true, autoReconnectOptions: { initialDelay: 20, randomness: 0 } });
  await server.call('script', { steps: [['disconnect', 1001, 'maintenance']] });
  assert.deepEqual(await t.log(client).wait('disconnect'), { code: 1001, reason: 'maintenance' });
  await t.log(client).wait('connect', 2);
  assert.deepEqual(t.log(client).all('error'), []);
  await server.settle();
  assert.deepEqual(server.log.all('warning'), []);
}

async function permanentCodeKeepsTheClientAway(t) {
  let server = await t.serve();
  let client = await t.connected(server, { autoReconnect: true, autoReconnectOptions: { initialDelay: 5, randomness: 0 } });
  await server.call('script', { steps: [['disconnect', 4501, 'banned']] });
  assert.deepEqual(await t.log(client).wait('disconnect'), { code: 4501, reason: 'banned' });
  await t.quiet();
  assert.equal(client.pendingReconnect, false);
  assert.equal(server.log.all('handshake').length, 1);
}

async function applicationCodeLetsTheClientComeBack(t) {
  let server = await t.serve();
  let client = await t.connected(server, { autoReconnect: true, autoReconnectOptions: { initialDelay: 5, randomness: 0 } });
  await server.call('script', { steps: [['disconnect', 4100, 'come back']] });
  await t.log(client).wait('connect', 2);
  assert.equal(client.state, 'open');
}

async function disconnectTakesEffectAtOnce(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let results = await server.call('script', { steps: [['disconnect', 4100], ['invoke', 'ask'], ['disconnect', 4200]] });
  assert.equal(results[1].error.name, 'BadConnectionError');
  assert.equal((await t.log(client).wait('disconnect')).code, 4100);
  assert.equal((await server.call('counts')).clientsCount, 0);
  assert.deepEqual(server.log.all('closure').map((event) => event.code), [4100]);
}

async function cutConnectionIs1006(t) {
  let server = await t.serve({ socketEvents: ENDINGS });
  let client = await t.connected(server, { pingTimeoutDisabled: true });
  await t.subscribed(client, 'news');
  client.transport.socket.terminate();
  let { code, reason } = await server.wait('closure');
  assert.deepEqual([code, reason], [1006, 'Socket hung up']);
  assert.equal((await server.wait('warning')).warning.code, 1006);
  await server.wait('unsubscription');
  assert.deepEqual((await server.call('exchange', { channel: 'news' })).broker, []);
}

async function serverMayTerminate(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await server.call('script', { steps: [['terminate']] });
  assert.equal((await t.log(client).wait('disconnect')).code, 1006);
  assert.equal((await server.wait('closure')).code, 1006);
}

async function closeWithoutAStatusCode(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  client.transport.socket.close();
  assert.equal((await t.log(client).wait('disconnect')).code, 1005);
  let { code, reason } = await server.wait('closure');
  assert.deepEqual([code, reason], [1005, 'Socket closed without status code']);
}

// What a client sends before its handshake; it is held back by a token store that never answers.
async function beforeTheHandshake(t, data, strictHandshake = true) {
  let server = await t.serve({ options: { strictHandshake }, socketEvents: ENDINGS });
  let token;
  let waiting = new Promise((resolve) => { token = resolve; });
  let client = t.client(server, { authEngine: { ...t.store(), loadToken: () => waiting } });
  await server.wait('handshake');
  let webSocket = client.transport.socket;
  if (webSocket.readyState !== webSocket.OPEN) await new Promise((resolve) => webSocket.once('open', resolve));
  webSocket.send(data);
  return { server, client, finish: () => token(null) };
}

async function closedWith4009(t, data) {
  let { server, client } = await beforeTheHandshake(t, data);
  let reason = 'Server received a message before the client handshake';
  let abort = await t.log(client).wait('connectAbort');
  assert.deepEqual([abort.code, abort.reason], [4009, reason]);
  let { id, ...closure } = await server.wait('closure');
  assert.deepEqual(closure, { code: 4009, reason, state: 'closed' });
  assert.deepEqual(server.log.all('subscription'), []);
}

async function pongBeforeTheHandshake(t) {
  await closedWith4009(t, '');
}

async function binaryBeforeTheHandshake(t) {
  await closedWith4009(t, Buffer.alloc(0));
}

async function subscribeBeforeTheHandshake(t) {
  await closedWith4009(t, '{"event":"#subscribe","data":{"channel":"news"},"cid":1}');
}

async function looseHandshakeToleratesMessages(t) {
  let { server, client, finish } = await beforeTheHandshake(t, '{"event":"note","data":1}', false);
  finish();
  await t.log(client).wait('connect');
  await server.wait('connection');
  assert.equal(await client.invoke('echo', 'fine'), 'fine');
}

async function malformedCalls(t) {
  for (let event of ['#handshake', '#authenticate']) {
    let server = await t.serve();
    let client = await t.connected(server);
    client.transmit(event, null);
    assert.deepEqual(await t.log(client).wait('disconnect'), { code: 4008, reason: 'Server rejected handshake from client' });
    let { code, reason } = await server.wait('closure');
    assert.deepEqual([code, reason], [4008, 'Server rejected handshake from client']);
  }
}

// The reference counts and announces the client a second time.
async function secondHandshakeDoesNoHarm(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let answer = await client.invoke('#handshake', { authToken: null });
  assert.equal(answer.id, client.id);
  assert.equal(await client.invoke('echo', 'fine'), 'fine');
  assert.equal((await server.call('counts')).clientsCount, 1);
  assert.equal(server.log.all('connection').length, 1);
  client.disconnect();
  await server.wait('disconnection');
  assert.equal((await server.call('counts')).clientsCount, 0);
}

module.exports = {
  clientClosesBeforeTheHandshake, abandonedHandshakeIsForgotten, clientClosesAfterTheHandshake, normalClosuresAreNoErrors, serverClosesWithItsOwnCode,
  serverClosesBeforeTheHandshake, drainingCodeIsNoErrorForTheClient, permanentCodeKeepsTheClientAway,
  applicationCodeLetsTheClientComeBack, disconnectTakesEffectAtOnce, cutConnectionIs1006, serverMayTerminate,
  closeWithoutAStatusCode, pongBeforeTheHandshake, binaryBeforeTheHandshake, subscribeBeforeTheHandshake,
  looseHandshakeToleratesMessages, malformedCalls, secondHandshakeDoesNoHarm
};
