'use strict';

// A session of an official client with the npm package of the MessagePack codec:
//   node minbin.js CLIENT CODEC PORT PROTOCOL_VERSION
// It writes what it sees, one JSON array a line. Binary values, ArrayBuffers there, are written as {"hex": …}.

const [client, codec, port, protocolVersion] = process.argv.slice(2);
const isOld = Number(client) < 15;
const library = require(`sc${client}`);
const codecEngine = require(`minbin${codec}`);

function shown(value) {
  if (value === undefined) return 'undefined';
  if (value instanceof ArrayBuffer) return { hex: Buffer.from(value).toString('hex') };
  if (Array.isArray(value)) return value.map(shown);
  if (value === null || typeof value !== 'object') return Number.isFinite(value) || typeof value !== 'number' ? value : String(value);
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shown(member)]));
}

function record(...seen) {
  process.stdout.write(JSON.stringify(seen.map(shown)) + '\n');
}

const bytes = (...values) => new Uint8Array(values).buffer;
const options = {
  hostname: '127.0.0.1',
  port: Number(port),
  codecEngine,
  autoReconnect: false,
  multiplex: false,
  batchOnHandshake: true
};
if (!isOld) options.protocolVersion = Number(protocolVersion);
const socket = library.create(options);

// The two families of clients behind one face.
const modern = {
  once: (name) => socket.listener(name).once(),
  each: async (stream, handle) => {
    for await (let item of stream) handle(item);
  },
  call: (name, data) => socket.invoke(name, data),
  tell: (name, data) => socket.transmit(name, data),
  serve: (name, answer) => modern.each(socket.procedure(name), (request) => request.end(answer(request.data))),
  hear: (name, handle) => modern.each(socket.receiver(name), handle),
  subscribe: async (name, handle) => {
    let channel = socket.subscribe(name);
    modern.each(channel, handle);
    await channel.listener('subscribe').once();
  },
  publish: (name, data) => socket.invokePublish(name, data),
  messages: (handle) => modern.each(socket.listener('message'), (event) => handle(event.message)),
  errors: (handle) => modern.each(socket.listener('error'), (event) => handle(event.error)),
  close: () => socket.disconnect()
};
const promised = (act) =>
  new Promise((resolve, reject) => act((error, data) => (error ? reject(error) : resolve(data))));
const legacy = {
  once: (name) => new Promise((resolve) => socket.once(name, resolve)),
  call: (name, data) => promised((done) => socket.emit(name, data, done)),
  tell: (name, data) => socket.emit(name, data),
  serve: (name, answer) => socket.on(name, (data, respond) => respond(null, answer(data))),
  hear: (name, handle) => socket.on(name, handle),
  subscribe: async (name, handle) => {
    let channel = socket.subscribe(name);
    channel.watch(handle);
    await new Promise((resolve) => channel.once('subscribe', resolve));
  },
  publish: (name, data) => promised((done) => socket.publish(name, data, done)),
  messages: (handle) => socket.on('message', handle),
  errors: (handle) => socket.on('error', handle),
  close: () => socket.disconnect()
};
const api = isOld ? legacy : modern;

const VALUES = {
  text: 'äöü 日本語 😀',
  empty: '',
  whole: [0, 127, 128, 255, 256, 65535, 65536, 2147483647, -1, -32, -33, -128, -129, -32768, -32769, -2147483648],
  large: [4294967296, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER],
  broken: [0.5, -1e300, Infinity, NaN],
  flags: [true, false],
  nothing: null,
  nested: { a: [{ b: { c: [[], {}, null] } }] },
  long: 'x'.repeat(70000),
  many: Array.from({ length: 20000 }, (_, index) => index % 300),
  bytes: bytes(0, 1, 127, 128, 255),
  noBytes: bytes(),
  manyBytes: new Uint8Array(70000).fill(220).buffer,
  deepBytes: { list: [bytes(1), { more: bytes(2) }] }
};

async function pings(count) {
  let seen = new Set();
  await new Promise((resolve) => {
    api.messages((message) => {
      let isPing = message === '' || message === '#1' || (message instanceof ArrayBuffer && message.byteLength === 3);
      if (!isPing) return;
      seen.add(JSON.stringify(shown(message)));
      if (--count === 0) resolve();
    });
  });
  return [...seen].map((text) => JSON.parse(text));
}

async function published(name, data) {
  let come = new Promise((resolve) => heard.set(name, resolve));
  await api.publish(name, data);
  return come;
}

const heard = new Map();

async function story() {
  api.errors((error) => record('error', error.name, error.message));
  await api.once('connect');
  for (let [name, value] of Object.entries(VALUES)) {
    let answer = await api.call('echo', value);
    record(name, await api.call('describe', value), JSON.stringify(shown(answer)) === JSON.stringify(shown(value)));
  }
  record('noData', await api.call('describe'));
  record('bytes', await api.call('bytes'));
  record('end', await api.call('end'));
  try {
    await api.call('fail', { left: [0, null] });
  } catch (error) {
    record('fail', error.name, error.message, error.detail);
  }

  api.serve('question', (data) => ({ asked: data, answer: bytes(4, 2) }));
  record('question', await api.call('callBack', { procedure: 'question', data: bytes(7) }));

  for (let channel of ['news', 'files']) await api.subscribe(channel, (data) => heard.get(channel)(data));
  record('news', await published('news', { text: 'hello', n: 1.5, none: null }));
  record('files', await published('files', bytes(1, 2, 3)));
  record('nothing', await published('files', null));

  let told = new Promise((resolve) => api.hear('told', resolve));
  api.tell('note', { bytes: bytes(5) });
  record('told', await told);

  let together = [1, 2, 3].map((n) => api.call('echo', { n, bytes: bytes(n) }));
  record('together', await Promise.all(together));
  record('pings', await pings(3));
  record('still', await api.call('echo', 'here'));
  let closed = api.once('disconnect');
  api.close();
  await closed;
}

// Client 14 leaves timers behind that would keep the process waiting.
const end = (status) => process.stdout.write('', () => process.exit(status));

story().then(
  () => end(0),
  (error) => {
    record('failed', error.stack);
    end(1);
  }
);
