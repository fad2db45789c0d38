'use strict';

const assert = require('node:assert/strict');

const now = () => Math.floor(Date.now() / 1000);

async function login(t) {
  let server = await t.serve();
  let client = await t.connected(server, { authEngine: t.store() });
  let states = [];
  client.emit('login', { token: { username: 'ann' } }, () => states.push([client.authState, client.authToken && client.authToken.username]));
  await t.log(client).wait('authenticate');
  await t.passed(client);
  assert.deepEqual(states, [['authenticated', 'ann']]);
  await server.wait('authentication');
  assert.deepEqual(server.log.names('socket.authTokenSigned', 'socket.authStateChange', 'authenticationStateChange', 'socket.authenticate', 'authentication'),
    ['socket.authTokenSigned', 'socket.authStateChange', 'authenticationStateChange', 'socket.authenticate', 'authentication']);
  let [change] = server.log.all('socket.authStateChange')[0];
  assert.deepEqual([change.oldState, change.newState, change.authToken.username], ['unauthenticated', 'authenticated', 'ann']);
}

async function loginIsConfirmed(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  assert.deepEqual(await t.invoke(client, 'loginConfirmed', { username: 'ann' }), { error: null, answer: null });
  assert.deepEqual(await t.invoke(client, 'logoutConfirmed'), { error: null, answer: null });
  assert.equal(client.authState, 'unauthenticated');
}

async function comingBackWithAToken(t) {
  let server = await t.serve();
  let client = await t.connected(server, { authEngine: t.store() });
  client.emit('login', { token: { username: 'ann' } });
  await t.log(client).wait('authenticate');
  client.disconnect();
  client.connect();
  let [status] = await t.log(client).wait('connect', 2);
  assert.deepEqual([status.isAuthenticated, status.authError], [true, undefined]);
  await server.wait('authentication', 2);
  let names = server.log.names('connection', 'authenticationStateChange', 'authentication');
  assert.deepEqual(names.slice(-3), ['connection', 'authenticationStateChange', 'authentication']);
}

async function badTokenInTheHandshake(t) {
  let server = await t.serve();
  let store = t.store(t.sign({ username: 'eve' }, {}, 'another key'));
  let client = t.client(server, { authEngine: store });
  let [status] = await t.log(client).wait('connect');
  assert.deepEqual([status.isAuthenticated, status.authError.name], [false, 'AuthTokenInvalidError']);
  await t.passed(client);
  assert.equal(store.kept.token, null);
  let [, bad] = await server.wait('badSocketAuthToken');
  assert.equal(bad.authError.name, 'AuthTokenInvalidError');
  assert.equal((await server.wait('socket.badAuthToken'))[0].signedAuthToken, bad.signedAuthToken);
}

async function expiredToken(t) {
  let server = await t.serve();
  let client = t.client(server, { authEngine: t.store(t.sign({ username: 'old', exp: now() - 10 })) });
  let [status] = await t.log(client).wait('connect');
  assert.equal(status.authError.name, 'AuthTokenExpiredError');
}

async function tokenThatIsNotActiveYet(t) {
  let server = await t.serve();
  let store = t.store(t.sign({ username: 'soon', nbf: now() + 1000 }));
  let client = t.client(server, { authEngine: store });
  let [status] = await t.log(client).wait('connect');
  assert.equal(status.authError.name, 'AuthTokenNotBeforeError');
  await t.passed(client);
  assert.notEqual(store.kept.token, null);
}

async function authenticateOverAConnection(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let good = await t.authenticate(client, t.sign({ username: 'ann' }));
  assert.deepEqual([good.error, good.status.isAuthenticated, good.status.authError], [null, true, null]);
  let other = await t.authenticate(client, t.sign({ username: 'bob' }));
  assert.equal(other.status.isAuthenticated, true);
  await server.wait('authentication', 2);
  assert.equal(server.log.all('authenticationStateChange').length, 1);
  let bad = await t.authenticate(client, t.sign({ username: 'eve' }, {}, 'another key'));
  assert.deepEqual([bad.error.name, bad.status.isAuthenticated], ['AuthTokenInvalidError', false]);
  assert.equal(client.authState, 'unauthenticated');
  await server.wait('deauthentication');
}

async function logout(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  client.emit('login', { token: { username: 'ann' } });
  await t.log(client).wait('authenticate');
  client.deauthenticate();
  let [old] = await server.wait('socket.deauthenticate');
  assert.equal(old.username, 'ann');
  await server.wait('deauthentication');
  let names = ['socket.authStateChange', 'authenticationStateChange', 'socket.deauthenticate', 'deauthentication'];
  assert.deepEqual(server.log.names(...names).slice(-4), names);
}

async function serverLogsOut(t) {
  let server = await t.serve();
  let store = t.store();
  let client = await t.connected(server, { authEngine: store });
  client.emit('login', { token: { username: 'ann' } });
  await t.log(client).wait('authenticate');
  client.emit('logout');
  await t.log(client).wait('deauthenticate');
  assert.deepEqual([client.authState, store.kept.token], ['unauthenticated', null]);
}

async function switchingUsers(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  for (let username of ['ann', 'bob']) client.emit('login', { token: { username } });
  await t.log(client).wait('authenticate', 2);
  assert.equal(client.authToken.username, 'bob');
  assert.deepEqual([t.log(client).all('authStateChange').length, t.log(client).all('deauthenticate').length], [1, 0]);
}

async function expiry(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let tenDays = 60 * 60 * 24 * 10;
  await t.invoke(client, 'login', { token: { n: 1 }, options: { expiresIn: tenDays } });
  assert.equal(Math.abs(client.authToken.exp - now() - tenDays) <= 1, true);
  await t.invoke(client, 'login', { token: { n: 2, exp: 12345678901 } });
  assert.equal(client.authToken.exp, 12345678901);
  await t.invoke(client, 'login', { token: { n: 3, exp: 12345678902 }, options: { expiresIn: 5 } });
  assert.equal(client.authToken.exp, 12345678902);
}

async function signingFails(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let failed = t.answer(client, 'login', { token: { iss: 'a' }, options: { issuer: 'b' } });
  assert.equal((await t.log(client).wait('disconnect'))[0], 4002);
  await failed;
  assert.equal((await server.wait('closure'))[1], 4002);
  await server.log.until('protocol error', () => server.log.all('warning').some(([error]) => error.name === 'SocketProtocolError'));
  assert.deepEqual(t.log(client).all('authenticate'), []);
}

async function expiresWhileConnected(t) {
  let server = await t.serve();
  let client = await t.connected(server, { authEngine: t.store() });
  await t.invoke(client, 'login', { token: { username: 'ann', exp: now() + 1 } });
  await t.quiet(2100);
  await t.passed(client);
  await t.log(client).wait('deauthenticate');
  await server.wait('deauthentication');
}

async function tokenFromHandshakeMiddleware(t) {
  let server = await t.serve({ app: { middleware: { handshakeSC: [{ setAuthToken: { username: 'ann' } }] } } });
  let client = t.client(server);
  assert.equal((await t.log(client).wait('connect'))[0].isAuthenticated, true);
  assert.equal((await t.invoke(client, 'state')).authToken.username, 'ann');
}

module.exports = {
  login, loginIsConfirmed, comingBackWithAToken, badTokenInTheHandshake, expiredToken, tokenThatIsNotActiveYet,
  authenticateOverAConnection, logout, serverLogsOut, switchingUsers, expiry, signingFails, expiresWhileConnected,
  tokenFromHandshakeMiddleware
};
