'use strict';

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);

async function callsAreAnswered(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  assert.deepEqual(await t.invoke(client, 'echo', { a: [1, 'two', null] }), { a: [1, 'two', null] });
  assert.deepEqual(await Promise.all(range(50).map((n) => t.invoke(client, 'echo', n))), range(50));
  assert.equal(await t.invoke(client, 'nothing', 1), undefined);
}

async function falsyValues(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  for (let value of [0, false, '', null, []]) assert.deepEqual(await t.invoke(client, 'echo', value), value);
}

async function errorsKeepNameMessageAndFields(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let error = await t.failure(t.invoke(client, 'fail', { name: 'OutOfStockError', message: 'None left', left: 0 }));
  assert.deepEqual([error.name, error.message, error.left], ['OutOfStockError', 'None left', 0]);
}

async function unservedProceduresTimeOut(t) {
  let server = await t.serve();
  let client = await t.connected(server, { ackTimeout: 2500 });
  assert.equal((await t.failure(t.invoke(client, 'hold', 1))).name, 'TimeoutError');
  await server.wait('held');
  await server.call('answer', { data: 'too late' });
  assert.equal(await t.invoke(client, 'echo', 'fine'), 'fine');
}

async function emitsArriveInOrder(t) {
  let server = await t.serve();
  let client = t.client(server, { autoConnect: false });
  for (let n of range(30)) client.emit('note', n);
  await server.wait('received', 30);
  assert.deepEqual(server.log.all('received').map((event) => event.data), range(30));
}

async function serverTransmitsAndInvokes(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = [];
  client.on('told', (data) => heard.push(data));
  client.on('add', (data, respond) => respond(null, data[0] + data[1]));
  client.on('refuse', (data, respond) => respond(Object.assign(new Error('Not today'), { name: 'RefusedError' })));
  let results = await server.call('script', { steps: [
    ['transmit', 'told', 'hello'], ['invoke', 'add', [2, 3]], ['invoke', 'refuse', 1], ['invoke', 'nobody', 1, { ackTimeout: 80 }]] });
  assert.deepEqual(heard, ['hello']);
  assert.deepEqual(results.slice(0, 2), [{ value: null }, { value: 5 }]);
  assert.deepEqual([results[2].error.name, results[2].error.message], ['RefusedError', 'Not today']);
}

async function callsFailWithTheConnection(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let failed = t.failure(t.invoke(client, 'hold', 1));
  await server.wait('held');
  await server.call('script', { steps: [['disconnect', 4100, 'closing time']] });
  assert.equal((await failed).name, 'BadConnectionError');
}

async function rawMessages(t) {
  let server = await t.serve({ socketEvents: ['raw'] });
  let client = await t.connected(server);
  client.send('just text');
  assert.deepEqual(await server.wait('socket.raw'), { message: 'just text' });
  await server.call('script', { steps: [['send', 'text back']] });
  await t.log(client).waitFor('message', ({ message }) => message === 'text back');
}

async function unicodeLargeAndBinaryData(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  for (let value of ['äöü 日本語 👩‍👩‍👧', 'Größe '.repeat(128000), { deep: [[[{ a: 1.5e300 }]]] }]) {
    assert.deepEqual(await t.invoke(client, 'echo', value), value);
  }
  assert.deepEqual(await t.invoke(client, 'echo', Buffer.from('hi')), { base64: true, data: 'aGk=' });
}

module.exports = {
  callsAreAnswered, falsyValues, errorsKeepNameMessageAndFields, unservedProceduresTimeOut, emitsArriveInOrder,
  serverTransmitsAndInvokes, callsFailWithTheConnection, rawMessages, unicodeLargeAndBinaryData
};
