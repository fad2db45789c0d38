'use strict';

// Every line of middleware, allowed and blocked in every way.

const assert = require('node:assert/strict');

const NAMED = { name: 'ForbiddenError', message: 'Not for you' };
const rule = (line, ...rules) => ({ app: { middleware: { [line]: rules } } });

// For each way to block: what a function says, and the error that a client makes of it.
const WAYS = {
  Error: { says: { block: NAMED }, name: 'ForbiddenError', warns: true },
  Fields: { says: { block: { ...NAMED, code: 7, list: [1] } }, name: 'ForbiddenError', warns: true, fields: { code: 7, list: [1] } },
  Text: { says: { block: 'no entry' }, text: 'no entry', warns: true },
  True: { says: { block: true }, name: 'SilentMiddlewareBlockedError', warns: false },
  Silent: { says: { block: { ...NAMED, silent: true } }, name: 'SilentMiddlewareBlockedError', warns: false },
  Later: { says: { block: NAMED, delay: 60 }, name: 'ForbiddenError', warns: true }
};

// For each line: how a client runs into it, giving the error that it gets.
const LINES = {
  subscribe: async (t, client) => {
    client.subscribe('news');
    return (await t.log(client).wait('subscribeFail'))[0];
  },
  publishIn: async (t, client) => (await t.publish(client, 'news', 1)).error,
  emit: async (t, client) => (await t.answer(client, 'echo', 1)).error
};

function check(error, way) {
  if (way.text) assert.equal(error, way.text);
  else assert.equal(error.name, way.name);
  for (let [name, value] of Object.entries(way.fields || {})) assert.deepEqual(error[name], value);
}

async function checkWarning(t, server, way) {
  if (way.warns) await server.wait('warning');
  else assert.deepEqual(server.log.all('warning'), []);
}

const scenarios = {};

for (let [line, provoke] of Object.entries(LINES)) {
  for (let [title, way] of Object.entries(WAYS)) {
    scenarios[`${line}Blocked${title}`] = async (t) => {
      let server = await t.serve(rule(line, way.says));
      let client = await t.connected(server);
      check(await provoke(t, client), way);
      await checkWarning(t, server, way);
      assert.equal(client.state, 'open');
    };
  }
}

for (let [title, way] of Object.entries(WAYS)) {
  scenarios[`publishOutBlocked${title}`] = async (t) => {
    let server = await t.serve(rule('publishOut', { ...way.says, name: 'news' }));
    let client = await t.connected(server);
    let heard = await t.subscribed(client, 'news');
    let others = await t.subscribed(client, 'other');
    assert.equal((await t.publish(client, 'news', 1)).error, null);
    await t.publish(client, 'other', 2);
    await t.log(client).wait('published');
    await server.wait('action', 2);
    await t.quiet();
    assert.deepEqual([heard, others], [[], [2]]);
    await checkWarning(t, server, way);
  };
  scenarios[`authenticateBlocked${title}`] = async (t) => {
    let server = await t.serve(rule('authenticate', way.says));
    let store = t.store(t.sign({ username: 'eve' }));
    let client = t.client(server, { authEngine: store });
    let [status] = await t.log(client).wait('connect');
    assert.equal(status.isAuthenticated, false);
    check(status.authError, way);
    await checkWarning(t, server, way);
    assert.notEqual(store.kept.token, null);
    assert.deepEqual(server.log.all('badSocketAuthToken'), []);
  };
  scenarios[`handshakeSCBlocked${title}`] = async (t) => {
    let server = await t.serve(rule('handshakeSC', way.says));
    let client = t.client(server);
    let [code, reason] = await t.log(client).wait('connectAbort');
    assert.equal(code, 4008);
    assert.equal(reason.startsWith(way.text || way.name), true);
    assert.equal((await server.wait('connectionAbort'))[1], 4008);
    check((await t.log(client).wait('error'))[0], way);
  };
  scenarios[`handshakeSCBlockedWithACode${title}`] = async (t) => {
    let server = await t.serve(rule('handshakeSC', { ...way.says, value: 4501 }));
    let client = t.client(server);
    assert.equal((await t.log(client).wait('connectAbort'))[0], 4501);
    assert.equal((await server.wait('closure'))[1], 4501);
  };
  scenarios[`handshakeWSBlocked${title}`] = async (t) => {
    let server = await t.serve(rule('handshakeWS', way.says));
    let client = t.client(server);
    assert.equal((await t.log(client).wait('connectAbort'))[0], 1006);
    await checkWarning(t, server, way);
    assert.deepEqual(server.log.all('handshake'), []);
  };
}

async function badTokenByMiddleware(t) {
  let server = await t.serve(rule('authenticate', { block: NAMED, value: true }));
  let store = t.store(t.sign({ username: 'eve' }));
  let client = t.client(server, { authEngine: store });
  assert.equal((await t.log(client).wait('connect'))[0].authError.name, 'ForbiddenError');
  await t.passed(client);
  assert.equal(store.kept.token, null);
  await server.wait('badSocketAuthToken');
}

async function authenticateBlockedOverAConnection(t) {
  let server = await t.serve(rule('authenticate', { block: NAMED }));
  let client = await t.connected(server);
  let { error, status } = await t.authenticate(client, t.sign({ username: 'eve' }));
  assert.deepEqual([error, status.isAuthenticated, status.authError.name], [null, false, 'ForbiddenError']);
}

async function authenticateNotWithoutToken(t) {
  let server = await t.serve(rule('authenticate', {}));
  let client = await t.connected(server);
  assert.deepEqual(server.log.all('action'), []);
  await t.authenticate(client, t.sign({ username: 'ann' }));
  assert.equal((await server.wait('action')).authToken.username, 'ann');
}

async function allLinesAllow(t) {
  let lines = ['handshakeWS', 'handshakeSC', 'authenticate', 'subscribe', 'publishIn', 'publishOut', 'emit'];
  let server = await t.serve({ app: { middleware: Object.fromEntries(lines.map((line) => [line, [{}, { delay: 10 }]])) } });
  let client = await t.connected(server, { authEngine: t.store(t.sign({ username: 'ann' })), query: { room: 'x' } });
  let heard = await t.subscribed(client, 'news', { data: 5 });
  assert.equal((await t.publish(client, 'news', { a: 1 })).error, null);
  await t.log(client).wait('published');
  assert.equal(await t.invoke(client, 'echo', 'hello'), 'hello');
  assert.deepEqual(heard, [{ a: 1 }]);
  await server.wait('action', 14);
  let seen = server.log.all('action');
  assert.deepEqual(seen.map((action) => action.middleware), lines.flatMap((line) => [line, line]));
  assert.deepEqual([seen[0].url, seen[6].data, seen[8].channel, seen[12].event], ['/socketcluster/?room=x', 5, 'news', 'echo']);
}

async function functionsReplaceData(t) {
  let server = await t.serve({ app: { middleware: {
    emit: [{ replace: 'first' }, { replace: 'second' }], publishIn: [{ replace: 'changed' }], publishOut: [{ replace: 'for you' }] } } });
  let client = await t.connected(server);
  let heard = await t.subscribed(client, 'news');
  assert.equal(await t.invoke(client, 'echo', 'mine'), 'second');
  await t.publish(client, 'news', 'mine');
  await t.log(client).wait('published');
  assert.deepEqual(heard, ['for you']);
}

async function functionsRunInOrder(t) {
  let server = await t.serve(rule('emit', { name: 'none' }, { block: NAMED }, { block: { name: 'NeverError', message: '' } }));
  let client = await t.connected(server);
  assert.equal((await t.answer(client, 'echo', 1)).error.name, 'ForbiddenError');
  await server.wait('action', 2);
  await t.quiet();
  assert.equal(server.log.all('action').length, 2);
}

async function blocksInABatch(t) {
  let server = await t.serve(rule('subscribe', { name: 'b', block: NAMED }));
  let client = t.client(server, { autoConnect: false });
  for (let name of ['a', 'b', 'c']) client.subscribe(name, { batch: true });
  client.connect();
  await t.log(client).wait('subscribe', 2);
  assert.equal((await t.log(client).wait('subscribeFail'))[0].name, 'ForbiddenError');
  assert.deepEqual(client.subscriptions(), ['a', 'c']);
}

async function warningsCanBeOff(t) {
  let server = await t.serve({ options: { middlewareEmitWarnings: false }, ...rule('emit', { block: NAMED }) });
  let client = await t.connected(server);
  assert.equal((await t.answer(client, 'echo', 1)).error.name, 'ForbiddenError');
  assert.deepEqual(server.log.all('warning'), []);
}

Object.assign(scenarios, {
  badTokenByMiddleware, authenticateBlockedOverAConnection, authenticateNotWithoutToken, allLinesAllow, functionsReplaceData,
  functionsRunInOrder, blocksInABatch, warningsCanBeOff
});

module.exports = scenarios;
