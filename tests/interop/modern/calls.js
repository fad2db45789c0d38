'use strict';

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);

async function callsAreAnswered(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  assert.deepEqual(await client.invoke('echo', { a: [1, 'two', null, true] }), { a: [1, 'two', null, true] });
  assert.deepEqual(await Promise.all(range(50).map((n) => client.invoke('echo', n))), range(50));
}

async function endWithoutValue(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  assert.equal(await client.invoke('nothing', 'something'), undefined);
}

async function falsyValues(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  for (let value of [0, false, '', null, [], {}]) {
    assert.deepEqual(await client.invoke('echo', value), value);
    client.transmit('note', value);
  }
  client.transmit('note');
  await server.wait('received', 7);
  let data = server.log.all('received').map((event) => (event.data === undefined ? null : event.data));
  assert.deepEqual(data, [0, false, '', null, [], {}, null]);
  for (let value of [0, false, '', null]) {
    let heard = client.receiver('told').once();
    await server.call('script', { steps: [['transmit', 'told', value]] });
    assert.deepEqual(await heard, value);
  }
}

async function errorsKeepNameMessageAndFields(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let error = await t.failure(client.invoke('fail', { name: 'OutOfStockError', message: 'None left', left: 0, tags: ['x'] }));
  assert.equal(error.name, 'OutOfStockError');
  assert.equal(error.message, 'None left');
  assert.equal(error.left, 0);
  assert.deepEqual(error.tags, ['x']);
  assert.equal(await client.invoke('echo', 'fine'), 'fine');
}

async function unservedProceduresTimeOut(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let error = await t.failure(client.invoke('nobodyServesThis', 1, { ackTimeout: 100 }));
  assert.equal(error.name, 'TimeoutError');
  assert.equal(await client.invoke('echo', 'fine'), 'fine');
}

async function lateAnswersAreIgnored(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let error = await t.failure(client.invoke('hold', 'slow', { ackTimeout: 100 }));
  assert.equal(error.name, 'TimeoutError');
  await server.wait('held');
  await server.call('answer', { data: 'too late' });
  assert.equal(await client.invoke('echo', 'fine'), 'fine');
  assert.equal(client.state, 'open');
}

async function answersMayComeOutOfOrder(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let slow = client.invoke('hold', 'slow');
  assert.equal(await client.invoke('echo', 'fast'), 'fast');
  await server.call('answer', { data: 'at last' });
  assert.equal(await slow, 'at last');
}

async function secondAnswerIsAnError(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  assert.equal(await client.invoke('twice'), 'first');
  let error = await server.wait('answeredTwice');
  assert.equal(error.name, 'InvalidActionError');
  assert.match(error.message, /^Response to request \d+ has already been sent$/);
}

async function onceServesOneCall(t) {
  let server = await t.serve({ once: 'rare' });
  let client = await t.connected(server);
  assert.equal(await client.invoke('rare'), 'once');
  let error = await t.failure(client.invoke('rare', null, { ackTimeout: 100 }));
  assert.equal(error.name, 'TimeoutError');
}

async function transmitsArriveInOrder(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  for (let n of range(50)) client.transmit('note', n);
  await server.wait('received', 50);
  assert.deepEqual(server.log.all('received').map((event) => event.data), range(50));
}

async function leavingTheLoopEndsConsumption(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  for (let data of ['one', 'stop', 'three']) client.transmit('note', data);
  await server.wait('receiverEnded');
  await t.passed(client);
  await server.settle();
  assert.deepEqual(server.log.all('received').map((event) => event.data), ['one', 'stop']);
}

async function everythingQueuedBeforeConnecting(t) {
  let server = await t.serve();
  let client = t.client(server, { autoConnect: false });
  client.transmit('note', 'first');
  let answer = client.invoke('echo', 'second');
  client.transmit('note', 'third');
  assert.equal(await answer, 'second');
  await server.wait('received', 2);
  assert.deepEqual(server.log.all('received').map((event) => event.data), ['first', 'third']);
  assert.equal(server.log.all('connection').length, 1);
}

async function transmitReconnectsAClosedClient(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  client.disconnect();
  await server.wait('disconnection');
  client.transmit('note', 'from beyond');
  assert.equal((await server.wait('received')).data, 'from beyond');
  assert.equal(server.log.all('connection').length, 2);
}

async function namesAreData(t, procedures, receivers) {
  let server = await t.serve({ procedures, receivers });
  let client = await t.connected(server);
  for (let name of procedures) assert.deepEqual(await client.invoke(name, 1), [name, 1]);
  for (let name of receivers) client.transmit(name, name);
  await server.wait('received', receivers.length);
  assert.deepEqual(server.log.all('received').map(({ receiver, data }) => [receiver, data]), receivers.map((name) => [name, name]));
}

async function namesAreOrdinaryData(t) {
  await namesAreData(t, ['__class__', '__init__', 'a/b', 'with space', 'ünïcode', '#own', '0', 'error'], ['__class__', '__dict__']);
}

// The reference itself stumbles over these.
async function namesOfObjectMembers(t) {
  let names = ['constructor', 'toString', 'hasOwnProperty', '__proto__', 'valueOf'];
  await namesAreData(t, names, names);
}

async function callsAndTransmitsOfOneNameAreApart(t) {
  let server = await t.serve({ receivers: ['echo'] });
  let client = await t.connected(server);
  client.transmit('echo', 'transmitted');
  assert.equal(await client.invoke('echo', 'invoked'), 'invoked');
  await server.wait('received');
  assert.deepEqual(server.log.all('received').map((event) => event.data), ['transmitted']);
}

async function serverTransmits(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = [];
  t.follow(client.receiver('told'), (data) => heard.push(data) && t.log(client).add('told', data));
  let steps = range(20).map((n) => ['transmit', 'told', { n }]);
  await server.call('script', { steps });
  await t.log(client).wait('told', 20);
  assert.deepEqual(heard, range(20).map((n) => ({ n })));
}

async function serverInvokes(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  t.answer(client, 'add', (request) => request.end(request.data[0] + request.data[1]));
  t.answer(client, 'silent', (request) => request.end());
  let results = await server.call('script', { steps: [['invoke', 'add', [2, 3]], ['invoke', 'silent', 1], ['invoke', 'add', [4, 5]]] });
  assert.deepEqual(results, [{ value: 5 }, { value: null }, { value: 9 }]);
}

async function serverInvokesFromWithinACall(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  t.answer(client, 'name', (request) => request.end(`my name is ${request.data}`));
  assert.deepEqual(await client.invoke('callBack', { procedure: 'name', data: 'Ann' }), { result: 'my name is Ann' });
}

async function clientErrorsReachTheServer(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  t.answer(client, 'refuse', (request) => {
    let error = new Error('Not today');
    error.name = 'RefusedError';
    error.tries = 3;
    request.error(error);
  });
  let [{ error }] = await server.call('script', { steps: [['invoke', 'refuse']] });
  assert.equal(error.name, 'RefusedError');
  assert.equal(error.message, 'Not today');
  assert.equal(error.tries, 3);
}

async function serverCallsTimeOut(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let { error } = await client.invoke('callBack', { procedure: 'nobody', ackTimeout: 80 });
  assert.equal(error.name, 'TimeoutError');
  assert.equal(error.message, 'Event response for nobody event timed out');
}

async function serverCallsUseTheServersAckTimeout(t) {
  let server = await t.serve({ options: { ackTimeout: 80 } });
  let client = await t.connected(server);
  let { error } = await client.invoke('callBack', { procedure: 'nobody' });
  assert.equal(error.name, 'TimeoutError');
}

async function serverCallsFailWithTheConnection(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let arrived = client.procedure('ponder').once();
  let result = t.failure(client.invoke('callBack', { procedure: 'ponder' }));
  await arrived;
  client.disconnect(4321, 'no patience');
  assert.equal((await result).name, 'BadConnectionError');
  let error = await server.wait('callBackFailed');
  assert.equal(error.name, 'BadConnectionError');
  assert.equal(error.message, 'Event ponder was aborted due to a bad connection');
  assert.deepEqual([error.type, error.code, error.reason], ['disconnect', 4321, 'no patience']);
}

async function clientCallsFailWithTheConnection(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let log = t.log(client);
  let failed = t.failure(client.invoke('hold')).then((error) => log.add('failed', error));
  await server.wait('held');
  await server.call('script', { steps: [['disconnect', 4100, 'closing time']] });
  await log.wait('disconnect');
  await failed;
  assert.equal(log.all('failed')[0].name, 'BadConnectionError');
  assert.equal(log.all('disconnect')[0].code, 4100);
}

async function serverTransmitsToAClosedSocket(t) {
  let server = await t.serve({ socketEvents: ['error'] });
  let client = await t.connected(server);
  let results = await server.call('script', { steps: [['disconnect'], ['transmit', 'told', 1]] });
  assert.deepEqual(results, [{ value: null }, { value: null }]);
  let { error } = await server.wait('socket.error');
  let { warning } = await server.wait('warning');
  for (let each of [error, warning]) {
    assert.equal(each.name, 'BadConnectionError');
    assert.equal(each.message, 'Socket transmit told event was aborted due to a bad connection');
  }
  assert.equal(server.log.all('warning').length, 1);
  await t.log(client).wait('disconnect');
}

async function serverInvokesOnAClosedSocket(t) {
  let server = await t.serve({ socketEvents: ['error'] });
  await t.connected(server);
  let [, { error }] = await server.call('script', { steps: [['disconnect'], ['invoke', 'ask', 1]] });
  assert.equal(error.name, 'BadConnectionError');
  assert.equal(error.message, 'Socket invoke ask event was aborted due to a bad connection');
  assert.equal((await server.wait('socket.error')).error.message, error.message);
  assert.equal((await server.wait('warning')).warning.message, error.message);
}

async function answeringOnAClosedSocketIsAWarning(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  t.failure(client.invoke('hold'));
  await server.wait('held');
  client.disconnect();
  await server.wait('disconnection');
  await server.call('answer', { data: 'anyone there?' });
  let { warning } = await server.wait('warning');
  assert.match(warning.message, /WebSocket is not open/);
}

async function rawMessagesBothWays(t) {
  let server = await t.serve({ socketEvents: ['raw', 'message'] });
  let client = await t.connected(server);
  client.send('just text');
  await server.wait('socket.raw');
  assert.deepEqual(server.log.all('socket.raw'), [{ message: 'just text' }]);
  assert.deepEqual(server.log.all('socket.message').slice(-1), [{ message: 'just text' }]);
  await server.call('script', { steps: [['send', 'text back']] });
  assert.deepEqual(await t.log(client).wait('raw'), { message: 'text back' });
}

module.exports = {
  callsAreAnswered, endWithoutValue, falsyValues, errorsKeepNameMessageAndFields, unservedProceduresTimeOut,
  lateAnswersAreIgnored, answersMayComeOutOfOrder, secondAnswerIsAnError, onceServesOneCall, transmitsArriveInOrder,
  leavingTheLoopEndsConsumption, everythingQueuedBeforeConnecting, transmitReconnectsAClosedClient, namesAreOrdinaryData,
  namesOfObjectMembers,
  callsAndTransmitsOfOneNameAreApart, serverTransmits, serverInvokes, serverInvokesFromWithinACall,
  clientErrorsReachTheServer, serverCallsTimeOut, serverCallsUseTheServersAckTimeout, serverCallsFailWithTheConnection,
  clientCallsFailWithTheConnection, serverTransmitsToAClosedSocket, serverInvokesOnAClosedSocket,
  answeringOnAClosedSocketIsAWarning, rawMessagesBothWays
};
