'use strict';

const assert = require('node:assert/strict');

const FORBIDDEN = { name: 'ForbiddenError', message: 'Not for you' };

async function handshakeWSBlocked(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeWS', query: 'ban=1', error: FORBIDDEN }] });
  let client = t.client(server, { query: { ban: 1 } });
  assert.equal((await t.log(client).wait('connectAbort')).code, 1006);
  assert.equal((await server.wait('warning')).warning.name, 'ForbiddenError');
  assert.equal(server.log.all('handshake').length, 0);
  await t.connected(server);
}

async function handshakeWSBlockedSilently(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeWS', silent: true }] });
  let client = t.client(server);
  assert.equal((await t.log(client).wait('connectAbort')).code, 1006);
  let { warning } = await server.wait('warning');
  assert.deepEqual([warning.name, warning.message, warning.type],
    ['SilentMiddlewareBlockedError', 'The handshakeWS AGAction was blocked by handshake middleware', 'handshake']);
}

async function handshakeSCBlocked(t, statusCode) {
  let error = statusCode ? { ...FORBIDDEN, statusCode } : FORBIDDEN;
  let code = statusCode || 4008;
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeSC', error }], socketEvents: ['connectAbort', 'close'] });
  let client = t.client(server);
  let log = t.log(client);
  let abort = await log.wait('connectAbort');
  assert.deepEqual([abort.code, abort.reason], [code, 'ForbiddenError: Not for you']);
  await log.wait('error', 2);
  let [first, second] = log.all('error').map((event) => event.error);
  assert.deepEqual([first.name, first.message, first.statusCode], ['ForbiddenError', 'Not for you', code]);
  assert.deepEqual([second.name, second.code], ['SocketProtocolError', code]);
  assert.deepEqual(log.names('connect', 'connectAbort', 'disconnect', 'close'), ['connectAbort', 'close']);
  assert.equal((await server.wait('warning')).warning.name, 'ForbiddenError');
  let { id, ...closure } = await server.wait('closure');
  let reason = statusCode ? {} : { reason: 'Server rejected handshake from client' };
  assert.deepEqual(closure, { state: 'closed', code, ...reason });
  assert.equal((await server.wait('connectionAbort')).code, code);
  assert.equal((await server.wait('socket.connectAbort')).code, code);
  assert.equal((await server.wait('socket.close')).code, code);
  assert.equal(server.log.all('connection').length, 0);
  let counts = await server.call('counts');
  assert.deepEqual([counts.clientsCount, counts.pendingClientsCount], [0, 0]);
}

async function handshakeSCBlockedWithoutCode(t) {
  await handshakeSCBlocked(t);
}

async function handshakeSCBlockedWithCode(t) {
  await handshakeSCBlocked(t, 4501);
}

async function handshakeSCBlockedSilently(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeSC', silent: true }] });
  let client = t.client(server);
  await t.log(client).wait('error', 2);
  let [{ error }] = t.log(client).all('error');
  assert.deepEqual([error.name, error.message],
    ['SilentMiddlewareBlockedError', 'The handshakeSC AGAction was blocked by handshake middleware']);
  assert.equal((await t.log(client).wait('connectAbort')).code, 4008);
}

async function blockedWithAPermanentCodeStaysAway(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeSC', error: { ...FORBIDDEN, statusCode: 4501 } }] });
  let client = t.client(server, { autoReconnect: true, autoReconnectOptions: { initialDelay: 5, randomness: 0 } });
  await t.log(client).wait('connectAbort');
  await t.quiet();
  assert.equal(client.pendingReconnect, false);
  assert.equal(server.log.all('handshake').length, 1);
}

async function blockedOnceThenLetIn(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeSC', error: FORBIDDEN }] });
  let client = t.client(server, { autoReconnect: true, autoReconnectOptions: { initialDelay: 100, randomness: 0 } });
  await t.log(client).wait('connectAbort');
  await server.call('setRules', { rules: [{ line: 'handshake' }] });
  await t.log(client).wait('connect');
}

async function lateAllowStillConnects(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeWS', hold: 'outer' }, { line: 'handshake', type: 'handshakeSC', hold: 'inner' }] });
  let client = t.client(server);
  let log = t.log(client);
  for (let [type, gate] of [['handshakeWS', 'outer'], ['handshakeSC', 'inner']]) {
    await server.waitFor('action', (action) => action.type === type);
    await t.quiet(50);
    assert.equal(client.state, 'connecting');
    await server.call('open', { gate });
  }
  await log.wait('connect');
  assert.deepEqual(log.names('connectAbort', 'close'), []);
}

async function delayedOnesDoNotDelayOthers(t) {
  let server = await t.serve({ rules: [
    { line: 'handshake', type: 'handshakeWS', query: 'slow=ws', hold: 'ws' },
    { line: 'handshake', type: 'handshakeSC', query: 'slow=sc', hold: 'sc' },
    { line: 'inbound', type: 'publishIn', query: 'slow=in', hold: 'in' }
  ] });
  let ws = t.client(server, { query: { slow: 'ws' } });
  let sc = t.client(server, { query: { slow: 'sc' } });
  let publisher = await t.connected(server, { query: { slow: 'in' } });
  let quick = await t.connected(server);
  let heard = await t.subscribed(quick, 'news');
  let published = publisher.invokePublish('news', 'slow');
  await server.waitFor('action', (action) => action.type === 'publishIn');
  await quick.invokePublish('news', 'quick');
  await t.log(quick).wait('published');
  assert.deepEqual(heard, ['quick']);
  assert.deepEqual([ws.state, sc.state], ['connecting', 'connecting']);
  for (let gate of ['ws', 'sc', 'in']) await server.call('open', { gate });
  await Promise.all([published, t.log(ws).wait('connect'), t.log(sc).wait('connect'), t.log(quick).wait('published', 2)]);
  assert.deepEqual(heard, ['quick', 'slow']);
}

async function heldActionHoldsUpItsOwnSocket(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'invoke', procedure: 'echo', hold: 'door' }] });
  let [held, free] = [await t.connected(server), await t.connected(server)];
  let first = held.invoke('echo', 'first');
  held.transmit('note', 'second');
  await server.wait('action');
  await t.passed(free);
  await server.settle();
  assert.equal(server.log.all('received').length, 0);
  await server.call('open', { gate: 'door' });
  assert.equal(await first, 'first');
  assert.equal((await server.wait('received')).data, 'second');
}

async function handshakeActions(t) {
  let server = await t.serve({ rules: [{ line: 'handshake' }] });
  await t.connected(server, { authEngine: t.store(t.sign({ username: 'ann' })) });
  await server.settle();
  assert.deepEqual(server.log.all('action').map((action) => action.type), ['handshakeWS', 'handshakeSC']);
  assert.equal(server.log.all('action')[1].authState, 'authenticated');
}

async function inboundActions(t) {
  let server = await t.serve({ rules: [{ line: 'inbound' }] });
  let client = await t.connected(server);
  await client.invoke('echo', { a: 1 });
  client.transmit('note', { b: 2 });
  t.collect(client, 'news', { data: { since: 3 } });
  client.transmitPublish('news', { c: 4 });
  await client.invokePublish('news', { d: 5 });
  let url = '/socketcluster/';
  let line = 'inbound';
  await server.settle();
  assert.deepEqual(server.log.all('action').map(({ url, ...rest }) => rest), [
    { line, type: 'invoke', procedure: 'echo', data: { a: 1 } },
    { line, type: 'transmit', receiver: 'note', data: { b: 2 } },
    { line, type: 'subscribe', channel: 'news', data: { since: 3 } },
    { line, type: 'publishIn', channel: 'news', data: { c: 4 } },
    { line, type: 'publishIn', channel: 'news', data: { d: 5 } }
  ]);
  assert.equal(server.log.all('action')[0].url, url);
  client.unsubscribe('news');
  await t.passed(client);
  await server.settle();
  assert.equal(server.log.all('action').length, 6);
}

async function invokeBlocked(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'invoke', procedure: 'hold', error: { ...FORBIDDEN, detail: 'x' } }], socketEvents: ['error'] });
  let client = await t.connected(server);
  let error = await t.failure(client.invoke('hold', 1));
  assert.deepEqual([error.name, error.message, error.detail], ['ForbiddenError', 'Not for you', 'x']);
  await server.settle();
  assert.equal(server.log.all('held').length, 0);
  assert.equal((await server.wait('socket.error')).error.name, 'ForbiddenError');
  assert.equal((await server.wait('warning')).warning.name, 'ForbiddenError');
  assert.equal(await client.invoke('echo', 'fine'), 'fine');
}

async function blockedSilently(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', silent: true }] });
  let client = await t.connected(server);
  let error = await t.failure(client.invoke('echo', 1));
  assert.deepEqual([error.name, error.message, error.type],
    ['SilentMiddlewareBlockedError', 'The invoke AGAction was blocked by inbound middleware', 'inbound']);
  client.transmit('note', 1);
  client.subscribe('news');
  let fail = await t.log(client).wait('subscribeFail');
  assert.equal(fail.error.name, 'SilentMiddlewareBlockedError');
  assert.equal(fail.error.message, 'The subscribe AGAction was blocked by inbound middleware');
  await server.settle();
  assert.equal(server.log.all('received').length, 0);
}

async function silentErrorsHideTheirText(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'invoke', error: { ...FORBIDDEN, silent: true } }] });
  let client = await t.connected(server);
  let error = await t.failure(client.invoke('echo', 1));
  assert.equal(error.name, 'SilentMiddlewareBlockedError');
  assert.equal((await server.wait('warning')).warning.name, 'ForbiddenError');
}

async function failuresNeedNotBeEmitted(t) {
  let server = await t.serve({ options: { middlewareEmitFailures: false }, rules: [{ line: 'inbound', type: 'invoke', procedure: 'hold', error: FORBIDDEN }], socketEvents: ['error'] });
  let client = await t.connected(server);
  assert.equal((await t.failure(client.invoke('hold'))).name, 'ForbiddenError');
  await t.passed(client);
  await server.settle();
  assert.deepEqual(server.log.names('warning', 'socket.error'), []);
}

async function transmitBlocked(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'transmit', error: FORBIDDEN }] });
  let client = await t.connected(server);
  client.transmit('note', 'blocked');
  await t.passed(client);
  await server.settle();
  assert.equal(server.log.all('received').length, 0);
}

async function replacedData(t) {
  let server = await t.serve({ rules: [
    { line: 'inbound', type: 'invoke', procedure: 'echo', replace: { replaced: true } },
    { line: 'inbound', type: 'transmit', replace: 0 },
    { line: 'inbound', type: 'publishIn', replace: 'censored' }
  ] });
  let client = await t.connected(server);
  let heard = await t.subscribed(client, 'news');
  assert.deepEqual(await client.invoke('echo', 'original'), { replaced: true });
  client.transmit('note', 'original');
  assert.equal((await server.wait('received')).data, 0);
  client.transmitPublish('news', 'rude');
  await client.invokePublish('news', 'ruder');
  await t.log(client).wait('published', 2);
  assert.deepEqual(heard, ['censored', 'censored']);
}

async function subscribeBlocked(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'subscribe', channel: 'secret', error: FORBIDDEN }] });
  let client = await t.connected(server);
  let heard = [t.collect(client, 'secret'), t.collect(client, 'open')];
  let { error, channel } = await t.log(client).wait('subscribeFail');
  assert.deepEqual([error.name, error.message, channel], ['ForbiddenError', 'Not for you', 'secret']);
  await t.log(client).wait('subscribe');
  for (let name of ['secret', 'open']) await server.call('publish', { channel: name, data: name });
  await t.log(client).wait('published');
  assert.deepEqual(heard, [[], ['open']]);
  assert.deepEqual(t.log(client).all('subscribe').map((event) => event.channel), ['open']);
  assert.deepEqual((await server.call('socket')).subscriptions, ['open']);
}

async function delayedSubscribeKeepsTheOrder(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'subscribe', hold: 'door' }] });
  let client = await t.connected(server);
  let heard = t.collect(client, 'news');
  let published = client.invokePublish('news', 'after');
  await server.wait('action');
  await t.quiet(50);
  assert.equal(server.log.all('action').length, 1);
  await server.call('open', { gate: 'door' });
  await published;
  await t.log(client).wait('published');
  assert.deepEqual(heard, ['after']);
  await server.settle();
  assert.deepEqual(server.log.all('action').map((action) => action.type), ['subscribe', 'publishIn']);
}

async function publishBlockedLate(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'publishIn', channel: 'news', hold: 'door', error: FORBIDDEN }] });
  let [writer, reader] = [await t.connected(server), await t.connected(server)];
  let heard = await t.subscribed(reader, 'news');
  let failed = t.failure(writer.invokePublish('news', 'blocked'));
  await server.waitFor('action', (action) => action.type === 'publishIn');
  await server.call('open', { gate: 'door' });
  assert.equal((await failed).name, 'ForbiddenError');
  writer.transmitPublish('news', 'blocked too');
  await t.passed(writer);
  await t.passed(reader);
  assert.deepEqual(heard, []);
}

async function outboundPerRecipient(t) {
  let server = await t.serve({ rules: [
    { line: 'outbound', type: 'publishOut', query: 'as=blocked', silent: true },
    { line: 'outbound', type: 'publishOut', query: 'as=replaced', replace: 'for you alone' }
  ] });
  let blocked = await t.connected(server, { query: { as: 'blocked' } });
  let plain = await t.connected(server);
  let replaced = await t.connected(server, { query: { as: 'replaced' } });
  let heard = [];
  for (let client of [blocked, plain, replaced]) heard.push(await t.subscribed(client, 'news'));
  await server.call('publish', { channel: 'news', data: { text: 'hello' } });
  await Promise.all([t.log(plain).wait('published'), t.log(replaced).wait('published')]);
  await t.passed(blocked);
  assert.deepEqual(heard, [[], [{ text: 'hello' }], ['for you alone']]);
  await server.settle();
  let actions = server.log.all('action');
  assert.equal(actions.length, 3);
  for (let action of actions) assert.deepEqual([action.type, action.channel, action.data], ['publishOut', 'news', { text: 'hello' }]);
}

async function heldOutboundKeepsTheOrder(t) {
  let server = await t.serve({ rules: [{ line: 'outbound', type: 'publishOut', query: 'as=slow', hold: 'door' }] });
  let slow = await t.connected(server, { query: { as: 'slow' } });
  let quick = await t.connected(server);
  let slowHeard = await t.subscribed(slow, 'news');
  let quickHeard = await t.subscribed(quick, 'news');
  for (let n of [1, 2, 3]) await server.call('publish', { channel: 'news', data: n });
  await t.log(quick).wait('published', 3);
  assert.deepEqual(slowHeard, []);
  await server.call('open', { gate: 'door' });
  await t.log(slow).wait('published', 3);
  assert.deepEqual([slowHeard, quickHeard], [[1, 2, 3], [1, 2, 3]]);
}

async function rawSeesEveryMessage(t) {
  let server = await t.serve({ rules: [{ line: 'inboundRaw' }] });
  let client = await t.connected(server);
  await client.invoke('echo', 1);
  client.send('text');
  client.transmit('note', 2);
  await server.wait('received');
  let messages = server.log.all('action').map((action) => {
    assert.equal(action.type, 'message');
    return action.data;
  });
  assert.equal(messages.length, 4);
  assert.equal(JSON.parse(messages[0]).event, '#handshake');
  assert.deepEqual(JSON.parse(messages[1]), { event: 'echo', data: 1, cid: 2 });
  assert.equal(messages[2], 'text');
  assert.deepEqual(JSON.parse(messages[3]), { event: 'note', data: 2 });
}

async function rawBlocksMessages(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  client.disconnect();
  await server.call('setRules', { rules: [{ line: 'inboundRaw', type: 'message', query: 'mute=1', silent: true }] });
  let muted = t.client(server, { query: { mute: 1 }, ackTimeout: 100, connectTimeout: 3000 });
  let { error } = await t.log(muted).wait('error');
  assert.equal(error.name, 'TimeoutError');
  await t.connected(server);
}

async function authenticateActionOnlyWithAToken(t) {
  let server = await t.serve({ rules: [{ line: 'inbound' }] });
  await t.connected(server);
  await server.settle();
  assert.equal(server.log.all('action').length, 0);
  let token = t.sign({ username: 'ann' });
  let client = await t.connected(server, { authEngine: t.store(token) });
  let { type, authToken, signedAuthToken } = await server.wait('action');
  assert.deepEqual([type, authToken.username, signedAuthToken], ['authenticate', 'ann', token]);
  await client.authenticate(t.sign({ username: 'bob' }));
  await server.settle();
  assert.equal(server.log.all('action')[1].authToken.username, 'bob');
}

async function authenticateBlocked(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'authenticate', user: 'eve', error: FORBIDDEN }], socketEvents: ['authenticate', 'authStateChange'] });
  let client = t.client(server, { authEngine: t.store(t.sign({ username: 'eve' })) });
  let status = await t.log(client).wait('connect');
  assert.equal(status.isAuthenticated, false);
  assert.deepEqual([status.authError.name, status.authError.message], ['ForbiddenError', 'Not for you']);
  let connection = await server.wait('connection');
  assert.deepEqual([connection.isAuthenticated, connection.authError.name], [false, 'ForbiddenError']);
  assert.deepEqual((({ authState, authToken }) => [authState, authToken])(await server.call('socket')), ['unauthenticated', null]);
  assert.deepEqual(server.log.names('authentication', 'authenticationStateChange', 'socket.authenticate', 'badSocketAuthToken'), []);
  let good = await t.connected(server, { authEngine: t.store(t.sign({ username: 'ann' })) });
  assert.equal(good.authState, 'authenticated');
}

async function authenticateBlockedAsBadToken(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'authenticate', user: 'eve', error: { ...FORBIDDEN, isBadToken: true } }] });
  let store = t.store(t.sign({ username: 'eve' }));
  let client = t.client(server, { authEngine: store });
  let status = await t.log(client).wait('connect');
  assert.equal(status.authError.name, 'ForbiddenError');
  await t.log(client).wait('removeAuthToken');
  assert.equal(store.kept.token, null);
  assert.equal((await server.wait('badSocketAuthToken')).authError.name, 'ForbiddenError');
  let error = await t.failure(client.authenticate(t.sign({ username: 'eve' })));
  assert.equal(error.name, 'ForbiddenError');
}

async function authenticateCallBlocked(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'authenticate', user: 'eve', error: FORBIDDEN }] });
  let client = await t.connected(server);
  let result = await client.authenticate(t.sign({ username: 'eve' }));
  assert.equal(result.isAuthenticated, false);
  assert.equal(result.authError.name, 'ForbiddenError');
  assert.equal((await server.call('socket')).authState, 'unauthenticated');
}

async function middlewareMayChangeOnARunningServer(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'invoke', error: FORBIDDEN }] });
  let client = await t.connected(server);
  assert.equal((await t.failure(client.invoke('echo', 1))).name, 'ForbiddenError');
  await server.call('setRules', { rules: [{ line: 'inbound' }] });
  assert.equal(await client.invoke('echo', 2), 2);
  await server.call('setRules', { rules: [{ line: 'inbound', type: 'invoke', replace: 'new' }] });
  let second = await t.connected(server);
  assert.equal(await second.invoke('echo', 3), 'new');
}

module.exports = {
  handshakeWSBlocked, handshakeWSBlockedSilently, handshakeSCBlockedWithoutCode, handshakeSCBlockedWithCode,
  handshakeSCBlockedSilently, blockedWithAPermanentCodeStaysAway, blockedOnceThenLetIn, lateAllowStillConnects,
  delayedOnesDoNotDelayOthers, heldActionHoldsUpItsOwnSocket, handshakeActions, inboundActions, invokeBlocked,
  blockedSilently, silentErrorsHideTheirText, failuresNeedNotBeEmitted, transmitBlocked, replacedData, subscribeBlocked,
  delayedSubscribeKeepsTheOrder, publishBlockedLate, outboundPerRecipient, heldOutboundKeepsTheOrder, rawSeesEveryMessage,
  rawBlocksMessages, authenticateActionOnlyWithAToken, authenticateBlocked, authenticateBlockedAsBadToken,
  authenticateCallBlocked, middlewareMayChangeOnARunningServer
};
