'use strict';

const assert = require('node:assert/strict');

async function pingsKeepTheConnection(t) {
  let server = await t.serve({ options: { pingInterval: 450, pingTimeout: 3000 }, socketEvents: ['message'] });
  let client = await t.connected(server);
  let pings = 0;
  t.follow(client.listener('message'), ({ message }) => message === '' && pings++);
  await server.log.until('eight pongs', () => server.log.all('socket.message').filter(({ message }) => !message).length >= 8);
  assert.equal(client.state, 'open');
  assert.equal(pings >= 8, true);
  assert.deepEqual(server.log.all('warning'), []);
  assert.deepEqual(t.log(client).all('error'), []);
}

async function silentServerMeansAPingTimeout(t) {
  let server = await t.serve({ options: { pingInterval: 20000, pingTimeout: 2500 } });
  let client = await t.connected(server);
  let { code } = await t.log(client).wait('disconnect');
  assert.equal(code === 4000 || code === 4001, true, `code ${code}`);
  let { error } = await t.log(client).wait('error');
  assert.deepEqual([error.name, error.code], ['SocketProtocolError', code]);
  let closure = await server.wait('disconnection');
  assert.equal(closure.code === 4000 || closure.code === 4001, true, `code ${closure.code}`);
  assert.equal((await server.wait('warning')).warning.name, 'SocketProtocolError');
}

async function serverClosesASilentClient(t) {
  let server = await t.serve({ options: { pingInterval: 20000, pingTimeout: 2500 } });
  let client = await t.connected(server, { pingTimeoutDisabled: true });
  let { code } = await t.log(client).wait('disconnect');
  assert.equal(code, 4001);
  let { id, ...closure } = await server.wait('closure');
  assert.deepEqual(closure, { state: 'closed', code: 4001, reason: "Client pong timed out" });
  let { warning } = await server.wait('warning');
  assert.deepEqual([warning.name, warning.code], ['SocketProtocolError', 4001]);
}

async function clientClosesASilentServer(t) {
  let server = await t.serve({ options: { pingTimeoutDisabled: true, pingTimeout: 300 } });
  let client = await t.connected(server);
  let { code, reason } = await t.log(client).wait('disconnect');
  assert.deepEqual([code, reason], [4000, 'Server ping timed out']);
  assert.equal((await t.log(client).wait('error')).error.name, 'SocketProtocolError');
  assert.equal((await server.wait('disconnection')).code, 4000);
}

async function clientReconnectsAfterAPingTimeout(t) {
  let server = await t.serve({ options: { pingInterval: 20000, pingTimeout: 2500 } });
  let client = await t.connected(server, { pingTimeoutDisabled: true, autoReconnect: true });
  await t.log(client).wait('connect', 2);
  await server.wait('connection', 2);
}

async function noTimeoutsWhenDisabledOnBothSides(t) {
  let server = await t.serve({ options: { pingTimeoutDisabled: true, pingInterval: 5000, pingTimeout: 200 } });
  let client = await t.connected(server, { pingTimeoutDisabled: true });
  await t.quiet(600);
  assert.equal(await client.invoke('echo', 'alive'), 'alive');
  await server.settle();
  assert.deepEqual(server.log.all('warning'), []);
  assert.deepEqual(t.log(client).all('error'), []);
}

async function anyMessageCountsAsALifeSign(t) {
  let server = await t.serve({ options: { pingInterval: 20000, pingTimeout: 3000 } });
  let client = await t.connected(server, { pingTimeoutDisabled: true });
  for (let round = 0; round < 5; round++) {
    await t.quiet(800);
    assert.equal(await client.invoke('echo', round), round);
  }
  await server.settle();
  assert.equal(server.log.all('closure').length, 0);
}

async function slowHandshakeTimesOut(t) {
  let server = await t.serve({ options: { handshakeTimeout: 2500 } });
  let loading = { ...t.store(), loadToken: () => new Promise(() => {}) };
  let client = t.client(server, { authEngine: loading });
  let { code, reason } = await t.log(client).wait('connectAbort');
  assert.deepEqual([code, reason], [4005, 'Did not receive #handshake from client before timeout']);
  let { id, ...abort } = await server.wait('connectionAbort');
  assert.deepEqual(abort, { state: 'closed', code: 4005, reason });
}

module.exports = {
  pingsKeepTheConnection, silentServerMeansAPingTimeout, serverClosesASilentClient, clientClosesASilentServer,
  clientReconnectsAfterAPingTimeout, noTimeoutsWhenDisabledOnBothSides, anyMessageCountsAsALifeSign, slowHandshakeTimesOut
};
