'use strict';

const assert = require('node:assert/strict');

async function loginAuthenticates(t) {
  let server = await t.serve();
  let client = await t.loggedIn(server, { username: 'ann' });
  assert.deepEqual([client.authState, client.authToken.username], ['authenticated', 'ann']);
  await t.log(client).wait('authStateChange');
  let second = t.log(client).wait('authenticate', 2);
  await t.invoke(client, 'login', { username: 'bob' });
  await second;
  assert.equal(client.authToken.username, 'bob');
  assert.equal(t.log(client).all('authStateChange').length, 1);
}

async function confirmedDelivery(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await t.invoke(client, 'login', { username: 'ann', options: { rejectOnFailedDelivery: true } });
  assert.equal(client.authToken.username, 'ann');
}

async function deauthentication(t) {
  let server = await t.serve();
  let client = await t.loggedIn(server, { username: 'ann' });
  await server.call('script', { steps: [['deauthenticate']] });
  await t.log(client).wait('deauthenticate');
  assert.equal(client.authState, 'unauthenticated');
  let again = t.log(client).wait('authenticate', 2);
  await t.invoke(client, 'login', { username: 'ann' });
  await again;
  client.deauthenticate();
  await server.wait('deauthentication', 2);
  assert.equal((await server.call('socket')).authState, 'unauthenticated');
}

async function tokenSurvivesAReconnect(t) {
  let server = await t.serve();
  let store = t.store();
  let client = await t.loggedIn(server, { username: 'ann' }, { authEngine: store });
  client.reconnect();
  let { status } = await t.log(client).wait('connect', 2);
  assert.equal(status.isAuthenticated, true);
  client.disconnect();
  let other = await t.connected(server, { authEngine: store });
  assert.equal(other.authToken.username, 'ann');
}

async function badTokensInTheHandshake(t) {
  let server = await t.serve();
  for (let [token, name, message] of [
    [t.sign({ username: 'eve' }, {}, 'some other key'), 'AuthTokenInvalidError', 'invalid signature'],
    [t.sign({ username: 'ann', exp: 1000 }), 'AuthTokenExpiredError', 'jwt expired'],
    ['abc', 'AuthTokenInvalidError', 'jwt malformed']
  ]) {
    let store = t.store(token);
    let client = t.client(server, { authEngine: store });
    let { status } = await t.log(client).wait('connect');
    assert.deepEqual([status.isAuthenticated, status.authError.name, status.authError.message], [false, name, message]);
    await t.log(client).wait('removeAuthToken');
    assert.equal(store.kept.token, null);
  }
}

async function authenticate(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let { error, status } = await t.authenticate(client, t.sign({ username: 'ann' }));
  assert.equal(error, null);
  assert.equal(status.isAuthenticated, true);
  assert.equal(client.authToken.username, 'ann');
  let bad = await t.authenticate(client, t.sign({ username: 'eve' }, {}, 'some other key'));
  assert.equal(bad.error.name, 'AuthTokenInvalidError');
  assert.equal(client.authState, 'unauthenticated');
}

async function waitForAuth(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = t.collect(client, 'private', { waitForAuth: true });
  await t.passed(client);
  assert.equal(client.channel('private').state, 'pending');
  await t.authenticate(client, t.sign({ username: 'ann' }));
  await t.log(client).wait('subscribe');
  await server.call('publish', { channel: 'private', data: 1 });
  await t.log(client).wait('published');
  assert.deepEqual(heard, [1]);
}

async function signingFailureClosesTheConnection(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let failed = t.failure(t.invoke(client, 'login', { username: 'ann', iss: 'me', options: { issuer: 'you' } }));
  assert.equal((await failed).name, 'BadConnectionError');
  assert.equal((await t.log(client).wait('close')).code, 4002);
}

module.exports = {
  loginAuthenticates, confirmedDelivery, deauthentication, tokenSurvivesAReconnect, badTokensInTheHandshake, authenticate,
  waitForAuth, signingFailureClosesTheConnection
};
