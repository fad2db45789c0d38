'use strict';

const assert = require('node:assert/strict');

const BASE64_CODEC = {
  encode: (object) => Buffer.from(JSON.stringify(object)).toString('base64'),
  decode: (text) => (text === '' || text == null ? text : JSON.parse(Buffer.from(text, 'base64').toString()))
};

async function echoes(t, ...values) {
  let server = await t.serve();
  let client = await t.connected(server);
  let heard = await t.subscribed(client, 'data');
  for (let value of values) assert.deepEqual(await client.invoke('echo', value), value);
  for (let value of values) client.transmitPublish('data', value);
  await t.log(client).wait('published', values.length);
  assert.deepEqual(heard, values);
}

async function unicodeText(t) {
  await echoes(t, 'äöü ß', '日本語', '👩‍👩‍👧‍👦 family', '\u0000\u001f control', '\u2028\u2029 separators', '"quotes" \\ and / slashes', '\ufeff bom', '\ud83d\ude00');
}

async function loneSurrogates(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let answer = await client.invoke('echo', 'x\ud800y');
  assert.equal(answer, 'x\ud800y');
  assert.equal(await client.invoke('echo', 'fine'), 'fine');
}

async function numbers(t) {
  await echoes(t, 0.1, -1.5, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 9007199254740991, -9007199254740991, 123456789012);
}

async function bigNumbersDoNoHarm(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  assert.equal(await client.invoke('echo', 2 ** 64), 2 ** 64);
  assert.equal(await client.invoke('echo', 1e300), 1e300);
  assert.equal(await client.invoke('echo', NaN), null);
}

async function nestedData(t) {
  let deep = 'bottom';
  for (let level = 0; level < 100; level++) deep = level % 2 ? [deep] : { deep };
  await echoes(t, deep, { '': 1, 'a b': [[], {}, [[]]], toString: 'x', rid: 1, event: '#publish', cid: 5 });
}

async function largeData(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let other = await t.connected(server);
  let text = 'Größe '.repeat(128000);
  assert.equal(await client.invoke('echo', text), text);
  let heard = await t.subscribed(other, 'data');
  await client.invokePublish('data', text);
  await t.log(other).wait('published');
  assert.equal(heard[0], text);
  let list = Array.from({ length: 20000 }, (_, index) => ({ index, text: `item ${index}` }));
  assert.deepEqual(await client.invoke('echo', list), list);
}

async function tooLargeIsRefused(t) {
  let server = await t.serve({ options: { maxPayload: 5000 } });
  let client = await t.connected(server);
  assert.equal((await client.invoke('echo', 'x'.repeat(4000))).length, 4000);
  client.transmit('note', 'x'.repeat(6000));
  assert.equal((await t.log(client).wait('disconnect')).code, 1009);
  await t.connected(server);
}

async function binaryFromTheClient(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let bytes = Buffer.from([0, 1, 2, 253, 254, 255]);
  assert.deepEqual(await client.invoke('echo', { file: bytes }), { file: { base64: true, data: bytes.toString('base64') } });
}

async function binaryFromTheServer(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  assert.deepEqual(await client.invoke('bytes', [104, 105]), { base64: true, data: 'aGk=' });
}

async function ownCodecOnBothSides(t) {
  let server = await t.serve({ options: { codecEngine: 'base64' } });
  let client = await t.connected(server, { codecEngine: BASE64_CODEC });
  let heard = await t.subscribed(client, 'data');
  assert.deepEqual(await client.invoke('echo', { secret: 'ä' }), { secret: 'ä' });
  await client.invokePublish('data', ['one']);
  await server.call('publish', { channel: 'data', data: 'two' });
  await t.log(client).wait('published', 2);
  assert.deepEqual(heard, [['one'], 'two']);
}

async function compressionWhenBothWantIt(t) {
  let server = await t.serve({ options: { perMessageDeflate: true } });
  let client = await t.connected(server, { wsOptions: { perMessageDeflate: true, rejectUnauthorized: false } });
  let text = 'again and '.repeat(5000);
  assert.equal(await client.invoke('echo', text), text);
  let heard = await t.subscribed(client, 'data');
  await server.call('publish', { channel: 'data', data: text });
  await t.log(client).wait('published');
  assert.deepEqual(heard, [text]);
}

module.exports = {
  unicodeText, loneSurrogates, numbers, bigNumbersDoNoHarm, nestedData, largeData, tooLargeIsRefused, binaryFromTheClient,
  binaryFromTheServer, ownCodecOnBothSides, compressionWhenBothWantIt
};
