'use strict';

const assert = require('node:assert/strict');

const FORBIDDEN = { name: 'ForbiddenError', message: 'Not for you' };

async function handshakeWSBlocked(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeWS', error: FORBIDDEN }] });
  let client = t.client(server);
  assert.equal((await t.log(client).wait('connectAbort')).code, 1006);
  assert.equal((await server.wait('warning')).warning.name, 'ForbiddenError');
}

// The wire of version 1 told the client the status code in the answer; this server no longer does, so it sees 4003.
async function handshakeSCBlocked(t) {
  let server = await t.serve({ rules: [{ line: 'handshake', type: 'handshakeSC', error: { ...FORBIDDEN, statusCode: 4501 } }] });
  let client = t.client(server);
  let { code, reason } = await t.log(client).wait('connectAbort');
  assert.deepEqual([code, reason], [4003, 'ForbiddenError: Not for you']);
  assert.equal((await server.wait('closure')).code, 4501);
}

async function callsBlockedAndReplaced(t) {
  let server = await t.serve({ rules: [
    { line: 'inbound', type: 'invoke', procedure: 'hold', error: FORBIDDEN },
    { line: 'inbound', type: 'invoke', procedure: 'nothing', silent: true },
    { line: 'inbound', type: 'invoke', procedure: 'echo', replace: 'replaced' }
  ] });
  let client = await t.connected(server);
  let error = await t.failure(t.invoke(client, 'hold', 1));
  assert.deepEqual([error.name, error.message], ['ForbiddenError', 'Not for you']);
  assert.equal((await t.failure(t.invoke(client, 'nothing', 1))).name, 'SilentMiddlewareBlockedError');
  assert.equal(await t.invoke(client, 'echo', 'original'), 'replaced');
}

async function publicationsBlockedAndReplaced(t) {
  let server = await t.serve({ rules: [
    { line: 'inbound', type: 'publishIn', channel: 'secret', error: FORBIDDEN },
    { line: 'inbound', type: 'publishIn', replace: 'replaced' }
  ] });
  let client = await t.connected(server);
  let heard = await t.subscribed(client, 'secret', 'news');
  assert.equal((await t.failure(t.publish(client, 'secret', 1))).name, 'ForbiddenError');
  await t.publish(client, 'news', 1);
  await t.log(client).wait('published');
  assert.deepEqual(heard, [[], ['replaced']]);
}

async function authenticateBlocked(t) {
  let server = await t.serve({ rules: [{ line: 'inbound', type: 'authenticate', error: FORBIDDEN }] });
  let client = t.client(server, { authEngine: t.store(t.sign({ username: 'eve' })) });
  let { status } = await t.log(client).wait('connect');
  assert.deepEqual([status.isAuthenticated, status.authError.name], [false, 'ForbiddenError']);
}

module.exports = {
  handshakeWSBlocked, handshakeSCBlocked, callsBlockedAndReplaced, publicationsBlockedAndReplaced, authenticateBlocked
};
