'use strict';

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);

async function answers(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  assert.deepEqual(await Promise.all(range(50).map((n) => t.invoke(client, 'echo', n))), range(50));
  assert.equal(await t.invoke(client, 'empty', 1), undefined);
  for (let value of [0, false, '', null, [], { deep: [[{ a: 1.5 }]] }, 'äöü 日本語']) {
    assert.deepEqual(await t.invoke(client, 'echo', value), value);
  }
  assert.deepEqual(await t.invoke(client, 'echo', Buffer.from('hi')), { base64: true, data: 'aGk=' });
}

async function errors(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let { error } = await t.answer(client, 'fail', { name: 'OutOfStockError', message: 'None left', left: 0 });
  assert.deepEqual([error.name, error.message, error.left], ['OutOfStockError', 'None left', 0]);
  assert.equal((await t.answer(client, 'fail', 'just text')).error, 'just text');
}

async function errorsWithData(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let { error, result } = await t.answer(client, 'failWithData', { error: { name: 'HalfError', message: 'half' }, data: [1, 2] });
  assert.deepEqual([error.name, result], ['HalfError', [1, 2]]);
}

async function emitsArriveInOrder(t) {
  let server = await t.serve({ app: { middleware: { emit: [{}] } } });
  let client = t.client(server, { autoConnect: false });
  for (let n of range(30)) client.emit('note', n);
  await server.wait('action', 30);
  assert.deepEqual(server.log.all('action').map((action) => action.data || 0), range(30));
}

async function serverEmits(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let told = new Promise((resolve) => client.on('told', resolve));
  await t.invoke(client, 'tell', { event: 'told', data: { a: 1 } });
  assert.deepEqual(await told, { a: 1 });
  client.on('add', (data, respond) => respond(null, data[0] + data[1]));
  client.on('refuse', (data, respond) => respond(Object.assign(new Error('no'), { name: 'RefusedError' })));
  assert.deepEqual(await t.invoke(client, 'call', { event: 'add', data: [2, 3] }), { answer: 5 });
  assert.deepEqual(await t.invoke(client, 'call', { event: 'refuse' }), { failure: { name: 'RefusedError', message: 'no' } });
}

async function serverCallsTimeOut(t) {
  let server = await t.serve({ options: { ackTimeout: 100 } });
  let client = await t.connected(server);
  let { failure } = await t.invoke(client, 'call', { event: 'nobody' });
  assert.deepEqual(failure, { name: 'TimeoutError', message: "Event response for 'nobody' timed out" });
}

async function clientCallsTimeOut(t) {
  let server = await t.serve();
  let client = await t.connected(server, { ackTimeout: 2500 });
  assert.equal((await t.answer(client, 'held', 1)).error.name, 'TimeoutError');
  await server.call('release');
  assert.equal(await t.invoke(client, 'echo', 'fine'), 'fine');
}

async function callsFailWithTheConnection(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let failed = t.answer(client, 'nobody', 1);
  client.emit('hangUp', { code: 4100 });
  assert.equal((await failed).error.name, 'BadConnectionError');
}

async function reservedEvents(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await t.invoke(client, 'tell', { event: 'message', data: 123 });
  let [error] = await server.wait('socket.error');
  assert.deepEqual([error.name, (await server.wait('warning'))[0].name], ['InvalidActionError', 'InvalidActionError']);
}

async function errorsCanBeEmitted(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  await t.invoke(client, 'tell', { event: 'error', data: 'home-made' });
  assert.deepEqual(await server.wait('socket.error'), ['home-made']);
}

async function rawMessages(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  client.send('just text');
  assert.deepEqual(await server.wait('socket.raw'), ['just text']);
  await t.invoke(client, 'sendRaw', 'text back');
  await t.log(client).waitFor('raw', ([message]) => message === 'text back');
}

async function answersCanBeBatched(t) {
  let server = await t.serve({ options: { pubSubBatchDuration: 50 } });
  let client = await t.connected(server);
  assert.deepEqual(await Promise.all(range(10).map((n) => t.invoke(client, 'answerInBatch', n))), range(10));
  let batches = t.log(client).all('message').map(([message]) => JSON.parse(message)).filter(Array.isArray);
  assert.equal(batches.flat().length, 10);
  assert.equal(batches.length < 10, true);
}

module.exports = {
  answers, errors, errorsWithData, emitsArriveInOrder, serverEmits, serverCallsTimeOut, clientCallsTimeOut,
  callsFailWithTheConnection, reservedEvents, errorsCanBeEmitted, rawMessages, answersCanBeBatched
};
