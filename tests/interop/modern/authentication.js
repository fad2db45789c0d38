'use strict';

const assert = require('node:assert/strict');

const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;

async function loginAuthenticates(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await client.invoke('login', { username: 'ann', admin: true });
  await t.settle();
  assert.equal(client.authState, 'authenticated');
  assert.equal(client.authToken.username, 'ann');
  assert.equal(client.authToken.admin, true);
  assert.equal(typeof client.authToken.iat, 'number');
  assert.equal(client.authToken.exp - client.authToken.iat, 86400);
  await t.settle();
  let log = t.log(client);
  assert.deepEqual(log.names('authStateChange', 'authenticate'), ['authStateChange', 'authenticate']);
  let change = log.all('authStateChange')[0];
  assert.deepEqual([change.oldAuthState, change.newAuthState, change.authToken.username], ['unauthenticated', 'authenticated', 'ann']);
  let socket = await server.call('socket');
  assert.deepEqual([socket.authState, socket.authToken, socket.signed], ['authenticated', client.authToken, client.signedAuthToken]);
}

async function serverEventsOfALogin(t) {
  let server = await t.serve({ socketEvents: ['authTokenSigned', 'authStateChange', 'authenticate', 'deauthenticate'] });
  let client = await t.loggedIn(server, { username: 'ann' });
  let { id } = client;
  let { signedAuthToken } = await server.wait('socket.authTokenSigned');
  assert.equal(signedAuthToken, client.signedAuthToken);
  let authToken = client.authToken;
  assert.deepEqual(await server.wait('socket.authStateChange'), { oldAuthState: 'unauthenticated', newAuthState: 'authenticated', authToken });
  assert.deepEqual(await server.wait('authenticationStateChange'),
    { id, state: 'open', oldAuthState: 'unauthenticated', newAuthState: 'authenticated', authToken });
  assert.deepEqual(await server.wait('socket.authenticate'), { authToken });
  assert.deepEqual(await server.wait('authentication'), { id, state: 'open', authToken });
  client.deauthenticate();
  await server.wait('deauthentication');
  assert.deepEqual(await server.wait('socket.deauthenticate'), { oldAuthToken: authToken });
  assert.deepEqual(server.log.all('socket.authStateChange')[1], { oldAuthState: 'authenticated', newAuthState: 'unauthenticated' });
  assert.deepEqual(server.log.all('authenticationStateChange')[1],
    { id, state: 'open', oldAuthState: 'authenticated', newAuthState: 'unauthenticated' });
  assert.deepEqual(server.log.names('socket.authStateChange', 'socket.deauthenticate').slice(-2), ['socket.authStateChange', 'socket.deauthenticate']);
  assert.deepEqual(server.log.all('deauthentication'), [{ id, state: 'open', oldAuthToken: authToken }]);
}

async function switchingTheUser(t) {
  let server = await t.serve();
  let client = await t.loggedIn(server, { username: 'ann' });
  await client.invoke('login', { username: 'bob' });
  await t.settle();
  assert.equal(client.authToken.username, 'bob');
  await t.settle();
  let log = t.log(client);
  assert.deepEqual(log.names('authStateChange', 'authenticate', 'deauthenticate'), ['authStateChange', 'authenticate', 'authenticate']);
  await server.wait('authentication', 2);
  assert.equal(server.log.all('authenticationStateChange').length, 1);
  assert.equal(server.log.all('deauthentication').length, 0);
}

async function serverDeauthenticates(t) {
  let server = await t.serve();
  let client = await t.loggedIn(server, { username: 'ann' });
  assert.deepEqual(await server.call('script', { steps: [['deauthenticate']] }), [{ value: null }]);
  let { oldAuthToken } = await t.log(client).wait('deauthenticate');
  assert.equal(oldAuthToken.username, 'ann');
  await t.log(client).wait('removeAuthToken');
  assert.equal(client.authState, 'unauthenticated');
  assert.equal(client.authToken, null);
  let socket = await server.call('socket');
  assert.deepEqual([socket.authState, socket.authToken, socket.signed], ['unauthenticated', null, null]);
}

async function clientDeauthenticates(t) {
  let server = await t.serve();
  let client = await t.loggedIn(server, { username: 'ann' });
  await client.deauthenticate();
  assert.equal((await server.wait('deauthentication')).oldAuthToken.username, 'ann');
  assert.equal((await server.call('socket')).authState, 'unauthenticated');
  assert.equal(server.log.all('authenticationStateChange').length, 2);
}

async function deliveryCanBeConfirmed(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await client.invoke('login', { username: 'ann', options: { rejectOnFailedDelivery: true } });
  await t.settle();
  assert.equal(client.authToken.username, 'ann');
  assert.deepEqual(await server.call('script', { steps: [['deauthenticate', { rejectOnFailedDelivery: true }]] }), [{ value: null }]);
  assert.equal(client.authState, 'unauthenticated');
  assert.deepEqual(server.log.all('warning'), []);
}

async function tokenToADisconnectedSocket(t) {
  let server = await t.serve();
  await t.connected(server);
  let [, { error }] = await server.call('script',
    { steps: [['disconnect'], ['setAuthToken', { username: 'ann' }, { rejectOnFailedDelivery: true }]] });
  assert.equal(error.name, 'AuthError');
  assert.equal(error.message, 'Failed to deliver auth token to client - Socket invoke #setAuthToken event was aborted due to a bad connection');
  await server.wait('warning', 2);
  assert.deepEqual(server.log.all('warning').map(({ warning }) => warning.name), ['BadConnectionError', 'AuthError']);
}

async function tokenToADisconnectedSocketUnconfirmed(t) {
  let server = await t.serve();
  await t.connected(server);
  assert.deepEqual(await server.call('script', { steps: [['disconnect'], ['setAuthToken', { username: 'ann' }]] }), [{ value: null }, { value: null }]);
  await server.wait('warning');
  await t.quiet();
  assert.deepEqual(server.log.all('warning').map(({ warning }) => warning.name), ['BadConnectionError']);
}

async function deauthenticateWhileDisconnecting(t) {
  let server = await t.serve();
  let client = await t.loggedIn(server, { username: 'ann' });
  let results = await server.call('script',
    { steps: [['deauthenticate', { rejectOnFailedDelivery: true }], ['disconnect']] });
  assert.equal(results[0].error.name, 'BadConnectionError');
  let second = await t.loggedIn(server, { username: 'bob' });
  results = await server.call('script', { id: second.id, steps: [['deauthenticate'], ['disconnect']] });
  assert.deepEqual(results, [{ value: null }, { value: null }]);
  await t.log(client).wait('disconnect');
}

async function tokenSurvivesAReconnect(t) {
  let server = await t.serve({ socketEvents: ['connect', 'authStateChange', 'authenticate'] });
  let client = await t.loggedIn(server, { username: 'ann' });
  client.disconnect();
  assert.equal(client.authState, 'authenticated');
  client.connect();
  let status = await t.log(client).wait('connect', 2);
  assert.equal(status.isAuthenticated, true);
  assert.equal('authError' in status, false);
  assert.equal(client.authToken.username, 'ann');
  assert.equal((await server.wait('connection', 2)).isAuthenticated, true);
  await server.wait('authentication', 2);
  assert.deepEqual(server.log.names('socket.connect', 'socket.authStateChange', 'socket.authenticate').slice(-3),
    ['socket.connect', 'socket.authStateChange', 'socket.authenticate']);
  assert.deepEqual(t.log(client).names('authStateChange', 'deauthenticate'), ['authStateChange']);
}

async function newClientWithTheSameStore(t) {
  let server = await t.serve();
  let store = t.store();
  let first = await t.loggedIn(server, { username: 'ann' }, { authEngine: store });
  assert.equal(store.kept.token, first.signedAuthToken);
  first.disconnect();
  let second = await t.connected(server, { authEngine: store });
  assert.equal(second.authState, 'authenticated');
  assert.equal(second.authToken.username, 'ann');
  await second.deauthenticate();
  assert.equal(store.kept.token, null);
  let third = await t.connected(server, { authEngine: store });
  assert.equal(third.authState, 'unauthenticated');
}

async function tokenSignedElsewhere(t) {
  let server = await t.serve();
  let token = t.sign({ username: 'ann', sub: 12, jti: 7, aud: 'someone', nested: { a: [1] } }, { expiresIn: 60 });
  let client = await t.connected(server, { authEngine: t.store(token) });
  assert.equal(client.authState, 'authenticated');
  let { authToken, signed } = await server.call('socket');
  assert.deepEqual(authToken, client.authToken);
  assert.equal(signed, token);
}

async function serverSignsForOthers(t) {
  let server = await t.serve();
  let token = await server.call('sign', { data: { username: 'ann' }, key: t.defaultServerOptions().authKey, options: { expiresIn: 100 } });
  let client = await t.connected(server, { authEngine: t.store(token) });
  assert.equal(client.authToken.username, 'ann');
  assert.equal(client.authToken.exp - client.authToken.iat, 100);
}

async function refusedInTheHandshake(t, token, name, message) {
  let server = await t.serve({ socketEvents: ['connect', 'badAuthToken'] });
  let store = t.store(token);
  let client = t.client(server, { authEngine: store });
  let status = await t.log(client).wait('connect');
  assert.equal(status.isAuthenticated, false);
  assert.deepEqual([status.authError.name, status.authError.message], [name, message]);
  let connected = await server.wait('socket.connect');
  assert.deepEqual([connected.authError.name, connected.authError.message, connected.isAuthenticated], [name, message, false]);
  assert.equal((await server.wait('connection')).authError.name, name);
  assert.equal((await server.wait('socket.badAuthToken')).authError.name, name);
  let bad = await server.wait('badSocketAuthToken');
  assert.deepEqual([bad.authError.name, bad.signedAuthToken], [name, token]);
  assert.equal(server.log.all('warning')[0].warning.name, name);
  await t.log(client).wait('removeAuthToken');
  assert.equal(store.kept.token, null);
  assert.equal(client.authToken, null);
  client.reconnect();
  let again = await t.log(client).wait('connect', 2);
  assert.equal('authError' in again, false);
  return status.authError;
}

async function wrongSignatureInTheHandshake(t) {
  await refusedInTheHandshake(t, t.sign({ username: 'eve' }, {}, 'some other key'), 'AuthTokenInvalidError', 'invalid signature');
}

async function expiredTokenInTheHandshake(t) {
  let exp = Math.floor(Date.now() / 1000) - 10;
  let error = await refusedInTheHandshake(t, t.sign({ username: 'ann', exp }), 'AuthTokenExpiredError', 'jwt expired');
  assert.equal(new Date(error.expiry).getTime(), exp * 1000);
}

async function malformedTokenInTheHandshake(t) {
  await refusedInTheHandshake(t, 'abc', 'AuthTokenInvalidError', 'jwt malformed');
}

async function unsignedTokenInTheHandshake(t) {
  let [header, payload] = [{ alg: 'none', typ: 'JWT' }, { username: 'eve' }].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  await refusedInTheHandshake(t, `${header}.${payload}.`, 'AuthTokenInvalidError', 'jwt signature is required');
}

async function tokenOfTheFutureInTheHandshake(t) {
  let nbf = inAnHour();
  let server = await t.serve();
  let store = t.store(t.sign({ username: 'ann', nbf }));
  let client = t.client(server, { authEngine: store });
  let { authError, isAuthenticated } = await t.log(client).wait('connect');
  assert.deepEqual([authError.name, authError.message, isAuthenticated], ['AuthTokenNotBeforeError', 'jwt not active', false]);
  assert.equal(new Date(authError.date).getTime(), nbf * 1000);
  await t.quiet();
  assert.notEqual(store.kept.token, null);
  assert.equal(server.log.all('badSocketAuthToken').length, 0);
}

async function keysMayChangeOnARunningServer(t) {
  let server = await t.serve();
  let client = await t.loggedIn(server, { username: 'ann' });
  await server.call('setKey', { signatureKey: 'a new key for the server', verificationKey: 'a new key for the server' });
  client.reconnect();
  let status = await t.log(client).wait('connect', 2);
  assert.equal(status.authError.name, 'AuthTokenInvalidError');
  await t.log(client).wait('deauthenticate');
  await client.invoke('login', { username: 'bob' });
  await t.settle();
  client.reconnect();
  await t.log(client).wait('connect', 3);
  assert.equal(client.authToken.username, 'bob');
}

async function authEngineMayBeReplaced(t) {
  let server = await t.serve();
  await t.connected(server);
  await server.call('replaceAuthEngine');
  let client = await t.connected(server, { authEngine: t.store('password') });
  assert.equal(client.authState, 'authenticated');
  let { authToken } = await server.call('socket', { id: client.id });
  assert.deepEqual(authToken, { username: `password by ${t.defaultServerOptions().authKey}`, id: client.id });
}

async function authenticateWithAGoodToken(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let result = await client.authenticate(t.sign({ username: 'ann' }));
  assert.equal(result.isAuthenticated, true);
  assert.equal(result.authError, null);
  assert.equal(client.authToken.username, 'ann');
  assert.equal((await server.wait('authentication')).authToken.username, 'ann');
  await client.authenticate(t.sign({ username: 'bob' }));
  await server.wait('authentication', 2);
  assert.equal((await server.call('socket')).authToken.username, 'bob');
  assert.equal(server.log.all('authenticationStateChange').length, 1);
  assert.deepEqual(t.log(client).names('authStateChange'), ['authStateChange']);
}

async function authenticateWithABadToken(t) {
  let server = await t.serve();
  let client = await t.loggedIn(server, { username: 'ann' });
  let error = await t.failure(client.authenticate(t.sign({ username: 'eve' }, {}, 'some other key')));
  assert.deepEqual([error.name, error.message], ['AuthTokenInvalidError', 'invalid signature']);
  await server.wait('deauthentication');
  assert.equal(client.authState, 'unauthenticated');
  assert.equal((await server.call('socket')).authState, 'unauthenticated');
  assert.deepEqual(t.log(client).names('deauthenticate'), ['deauthenticate']);
  assert.equal(server.log.all('deauthentication').length, 1);
  for (let [token, message] of [['abc', 'jwt malformed'], ['a.b.c', 'invalid token'], ['', 'jwt must be provided'], [null, 'jwt must be provided']]) {
    error = await t.failure(client.authenticate(token));
    assert.deepEqual([error.name, error.message], ['AuthTokenInvalidError', message]);
  }
  assert.equal(await client.invoke('echo', 'fine'), 'fine');
}

async function authenticateWithATokenOfTheFuture(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let result = await client.authenticate(t.sign({ username: 'ann', nbf: inAnHour() }));
  assert.equal(result.isAuthenticated, false);
  assert.deepEqual([result.authError.name, result.authError.message], ['AuthTokenNotBeforeError', 'jwt not active']);
  assert.equal(t.log(client).all('removeAuthToken').length, 0);
}

async function expiryOptions(t) {
  let server = await t.serve({ options: { authDefaultExpiry: 500 } });
  let client = await t.loggedIn(server, { username: 'ann' });
  assert.equal(client.authToken.exp - client.authToken.iat, 500);
  await client.invoke('login', { username: 'ann', options: { expiresIn: 60 } });
  await t.settle();
  assert.equal(client.authToken.exp - client.authToken.iat, 60);
  let exp = inAnHour();
  await client.invoke('login', { username: 'ann', exp });
  await t.settle();
  assert.equal(client.authToken.exp, exp);
  await client.invoke('login', { username: 'ann', exp, options: { expiresIn: 60 } });
  await t.settle();
  assert.equal(client.authToken.exp, exp);
}

async function distantExpiry(t) {
  let server = await t.serve();
  let exp = 95617584000 * 2;
  let client = await t.loggedIn(server, { username: 'ann', exp });
  assert.equal(client.authToken.exp, exp);
  client.reconnect();
  await t.log(client).wait('connect', 2);
  assert.equal(client.authState, 'authenticated');
}

async function signingFailureClosesTheConnection(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let error = await t.failure(client.invoke('login', { username: 'ann', iss: 'me', options: { issuer: 'you' } }));
  assert.equal(error.name, 'BadConnectionError');
  let log = t.log(client);
  let { code } = await log.wait('close');
  assert.equal(code, 4002);
  await t.quiet();
  assert.equal(log.all('close').length, 1);
  assert.equal(log.all('authenticate').length, 0);
  await server.wait('loginFailed');
  await server.waitFor('warning', ({ warning }) => warning.name === 'SocketProtocolError' && warning.code === 4002);
  assert.equal((await server.wait('closure')).code, 4002);
}

async function algorithmCannotBeChosen(t) {
  let server = await t.serve();
  let client = await t.loggedIn(server, { username: 'ann', options: { algorithm: 'HS512' } });
  let { warning } = await server.wait('warning');
  assert.deepEqual([warning.name, warning.message],
    ['InvalidArgumentsError', 'Cannot change auth token algorithm at runtime - It must be specified as a config option on launch']);
  assert.equal(JSON.parse(Buffer.from(client.signedAuthToken.split('.')[0], 'base64url')).alg, 'HS256');
}

async function serverForgetsWithoutTellingTheClient(t) {
  let server = await t.serve();
  let client = await t.loggedIn(server, { username: 'ann' });
  await server.call('script', { steps: [['deauthenticateSelf']] });
  assert.equal((await server.wait('deauthentication')).oldAuthToken.username, 'ann');
  await t.passed(client);
  assert.equal(client.authState, 'authenticated');
  assert.equal((await server.call('socket')).authState, 'unauthenticated');
}

async function tokenBeforeTheHandshakeIsDone(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeSC', setAuthToken: { username: 'ann' } }] });
  let client = await t.connected(server);
  let error = await server.wait('setAuthTokenFailed');
  assert.deepEqual([error.name, error.message], ['InvalidActionError', 'Cannot call setAuthToken before completing the handshake']);
  assert.equal(client.authState, 'unauthenticated');
  assert.equal(server.log.all('authentication').length, 0);
}

async function expiryDuringTheConnection(t) {
  let server = await t.serve({ rules: [{ line: 'inbound' }] });
  let exp = Math.ceil(Date.now() / 1000) + 3;
  let client = await t.connected(server, { authEngine: t.store(t.sign({ username: 'ann', exp })) });
  assert.equal(client.authState, 'authenticated');
  await t.quiet(exp * 1000 - Date.now() + 20);
  client.transmit('note', 'too late');
  await t.log(client).wait('deauthenticate');
  let { authTokenExpiredError } = await server.waitFor('action', (action) => action.type === 'transmit');
  assert.deepEqual([authTokenExpiredError.name, authTokenExpiredError.message, authTokenExpiredError.expiry],
    ['AuthTokenExpiredError', 'The socket auth token has expired', exp]);
  assert.equal((await server.wait('deauthentication')).oldAuthToken.username, 'ann');
}

async function channelsThatWaitForAuthentication(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = t.collect(client, 'private', { waitForAuth: true });
  await t.passed(client);
  assert.equal(client.channel('private').state, 'pending');
  await client.invoke('login', { username: 'ann' });
  await t.settle();
  let { channel, subscriptionOptions } = await t.log(client).wait('subscribe');
  assert.equal(channel, 'private');
  assert.equal(subscriptionOptions.waitForAuth, true);
  assert.deepEqual((await server.wait('subscription')).subscriptionOptions, { waitForAuth: true });
  await server.call('publish', { channel: 'private', data: 1 });
  await t.log(client).wait('published');
  client.disconnect();
  assert.equal(client.channel('private').state, 'pending');
  client.connect();
  await t.log(client).wait('subscribe', 2);
  await server.call('publish', { channel: 'private', data: 2 });
  await t.log(client).wait('published', 2);
  assert.deepEqual(heard, [1, 2]);
}

async function waitingChannelsAndAuthenticate(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  t.collect(client, 'private', { waitForAuth: true });
  await client.authenticate(t.sign({ username: 'ann' }));
  await t.log(client).wait('subscribe');
  assert.equal(client.isSubscribed('private'), true);
}

async function subscriptionsBeforeAFailingAuthenticate(t) {
  let server = await t.serve();
  let store = t.store(t.sign({ username: 'ann' }));
  let client = t.client(server, { authEngine: store, autoConnect: false });
  t.collect(client, 'private', { waitForAuth: true });
  let error = await t.failure(client.authenticate(t.sign({ username: 'eve' }, {}, 'some other key')));
  assert.equal(error.name, 'AuthTokenInvalidError');
  await t.log(client).wait('subscribe');
  await server.wait('subscription');
  await server.wait('deauthentication');
  assert.equal(client.isSubscribed('private'), true);
}

async function disconnectDuringAuthenticate(t) {
  let server = await t.serve({ options: { authEngine: 'slow' } });
  let client = await t.connected(server);
  let failed = t.failure(client.authenticate(t.sign({ username: 'ann' })));
  await server.wait('verifying');
  client.disconnect();
  assert.equal((await failed).name, 'BadConnectionError');
  assert.equal(client.authState, 'unauthenticated');
  await server.call('open', { gate: 'verify' });
  await server.wait('disconnection');
  assert.equal((await server.call('counts')).clientsCount, 0);
}

async function authenticateReconnects(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  client.disconnect();
  await client.authenticate(t.sign({ username: 'ann' }));
  assert.equal(client.state, 'open');
  assert.equal(client.authToken.username, 'ann');
}

const RSA = require('node:crypto').generateKeyPairSync('rsa', {
  modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' }
});

async function keyPairs(t) {
  let server = await t.serve({ options: { authKey: undefined, authPrivateKey: RSA.privateKey, authPublicKey: RSA.publicKey, authAlgorithm: 'RS256' } });
  let client = await t.loggedIn(server, { username: 'ann' });
  client.reconnect();
  await t.log(client).wait('connect', 2);
  assert.equal(client.authToken.username, 'ann');
  let forged = t.client(server, { authEngine: t.store(t.sign({ username: 'eve' }, { algorithm: 'HS256' }, 'some other key')) });
  let { authError } = await t.log(forged).wait('connect');
  assert.deepEqual([authError.name, authError.message], ['AuthTokenInvalidError', 'invalid algorithm']);
}

module.exports = {
  loginAuthenticates, serverEventsOfALogin, switchingTheUser, serverDeauthenticates, clientDeauthenticates,
  deliveryCanBeConfirmed, tokenToADisconnectedSocket, tokenToADisconnectedSocketUnconfirmed,
  deauthenticateWhileDisconnecting, tokenSurvivesAReconnect, newClientWithTheSameStore, tokenSignedElsewhere,
  serverSignsForOthers, wrongSignatureInTheHandshake, expiredTokenInTheHandshake, malformedTokenInTheHandshake,
  unsignedTokenInTheHandshake, tokenOfTheFutureInTheHandshake, keysMayChangeOnARunningServer, authEngineMayBeReplaced,
  authenticateWithAGoodToken, authenticateWithABadToken, authenticateWithATokenOfTheFuture, expiryOptions, distantExpiry,
  signingFailureClosesTheConnection, tokenBeforeTheHandshakeIsDone, expiryDuringTheConnection,
  channelsThatWaitForAuthentication, waitingChannelsAndAuthenticate, subscriptionsBeforeAFailingAuthenticate,
  algorithmCannotBeChosen, serverForgetsWithoutTellingTheClient, disconnectDuringAuthenticate, authenticateReconnects, keyPairs
};
