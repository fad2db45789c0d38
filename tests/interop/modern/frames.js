'use strict';

// Everything that WebSocket allows below the messages of the protocol. The client's own WebSocket sends it.

const assert = require('node:assert/strict');

const range = (count) => Array.from({ length: count }, (_, index) => index);

async function fragmentedMessages(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let webSocket = client.transport.socket;
  let parts = ['{"event":"no', 'te","da', '', 'ta":"grü', 'ße"}'];
  parts.forEach((part, index) => webSocket.send(part, { fin: index === parts.length - 1 }));
  client.transmit('note', 'behind');
  await server.wait('received', 2);
  assert.deepEqual(server.log.all('received').map((event) => event.data), ['grüße', 'behind']);
}

async function controlFramesInBetween(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let webSocket = client.transport.socket;
  let pongs = [];
  webSocket.on('pong', (data) => pongs.push(data.toString()));
  webSocket.ping('first');
  webSocket.send('{"event":"note",', { fin: false });
  webSocket.ping('second');
  webSocket.pong('nobody asked');
  webSocket.send('"data":1}');
  assert.equal(await client.invoke('echo', 'fine'), 'fine');
  assert.deepEqual(pongs, ['first', 'second']);
  assert.equal((await server.wait('received')).data, 1);
}

async function packetsInBinaryFrames(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  client.transport.socket.send(Buffer.from('{"event":"note","data":"bïnary"}'));
  assert.equal((await server.wait('received')).data, 'bïnary');
}

// Frames whose lengths need 7, 16 and 64 bits, many to a chunk, and cut by the ends of chunks.
async function framesOfAllLengthsInOneGo(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let lengths = [...range(300), ...range(40).map((n) => 110 + n), 65000, 65534, 65535, 65536, 70000, 3, 125, 126, 127];
  let texts = lengths.map((length, index) => String.fromCharCode(97 + (index % 26)).repeat(length));
  let tcp = client.transport.socket._socket;
  tcp.cork();
  let answers = texts.map((text) => client.invoke('echo', text));
  tcp.uncork();
  assert.deepEqual(await Promise.all(answers), texts);
}

async function frameByteByByte(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  let tcp = client.transport.socket._socket;
  let text = '{"event":"note","data":"slow"}';
  let mask = Buffer.from([1, 2, 3, 4]);
  let payload = Buffer.from(text).map((byte, index) => byte ^ mask[index % 4]);
  let frame = Buffer.concat([Buffer.from([0x81, 0x80 | text.length]), mask, payload]);
  tcp.setNoDelay(true);
  for (let byte of frame) {
    tcp.write(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  client.transmit('note', 'quick');
  await server.wait('received', 2);
  assert.deepEqual(server.log.all('received').map((event) => event.data), ['slow', 'quick']);
}

async function textThatIsNoUTF8(t) {
  for (let bytes of [[0xff, 0xfe], [...Buffer.from('{"event":"note","data":"')].concat([0xc3, 0x28, 0x22, 0x7d])]) {
    let server = await t.serve();
    let client = await t.connected(server);
    client.transport.socket.send(Buffer.from(bytes), { binary: false });
    assert.equal((await t.log(client).wait('disconnect')).code, 1007);
    let { code } = await server.wait('closure');
    assert.equal(code === 1007 || code === 1006, true, `closed with ${code}`);
    assert.equal(server.log.all('received').length, 0);
  }
}

async function closeCodesAndReasons(t) {
  let server = await t.serve();
  for (let [code, reason] of [[3000, ''], [3999, 'x'], [4000, 'ü'.repeat(61)], [4999, 'y'.repeat(123)], [1001, 'bye'], [1011, 'oh']]) {
    let client = await t.connected(server);
    client.transport.socket.close(code, reason);
    let seen = await t.log(client).wait('disconnect');
    assert.equal(seen.code, code);
    let closure = await server.waitFor('closure', (event) => event.code === code);
    if (reason) assert.equal(closure.reason, reason);
  }
}

async function rubbishInsteadOfFrames(t) {
  let server = await t.serve();
  let client = await t.connected(server);
  client.transport.socket._socket.write(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]));
  let { code } = await t.log(client).wait('disconnect');
  assert.equal(code, 1002);
  assert.equal((await (await t.connected(server)).invoke('echo', 1)), 1);
}

module.exports = {
  fragmentedMessages, controlFramesInBetween, packetsInBinaryFrames, framesOfAllLengthsInOneGo, frameByteByByte,
  textThatIsNoUTF8, closeCodesAndReasons, rubbishInsteadOfFrames
};
