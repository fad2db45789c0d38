'use strict';

// Clients of both versions of the protocol side by side: socketcluster-client 14 and 20 at one server.

const assert = require('node:assert/strict');
const { Log, Scenario, howToReach, main } = require('./harness');

const range = (count) => Array.from({ length: count }, (_, index) => index);
const sc14 = require('sc14');
const sc20 = require('sc20');

// What both clients can do, in one form.
class Old {
  constructor(server, options) {
    this.version = 1;
    this.log = new Log('old client');
    this.client = sc14.create({ multiplex: false, autoReconnect: false, ...howToReach(server), ...options });
    this.client.on('connect', () => this.log.add('connect'));
    this.client.on('disconnect', (code, reason) => this.log.add('disconnect', { code, reason }));
    this.client.on('error', (error) => this.log.add('error', error));
    this.client.on('message', (message) => this.log.add('message', message));
    this.client.on('raw', (message) => this.log.add('raw', message));
  }

  invoke(name, data) {
    return new Promise((resolve, reject) => this.client.emit(name, data, (error, result) => (error ? reject(error) : resolve(result))));
  }

  publish(channel, data) {
    return new Promise((resolve, reject) => this.client.publish(channel, data, (error) => (error ? reject(error) : resolve())));
  }

  subscribe(name) {
    let channel = this.client.subscribe(name);
    channel.watch((data) => this.log.add('published', data));
    channel.on('subscribe', () => this.log.add('subscribe'));
  }

  serve(name, answer) {
    this.client.on(name, (data, respond) => respond(null, answer(data)));
  }

  end() {
    this.client.destroy();
  }
}

class New {
  constructor(server, options) {
    this.version = 2;
    this.log = new Log('new client');
    this.client = sc20.create({ autoReconnect: false, ...howToReach(server), ...options });
    for (let name of ['connect', 'disconnect', 'error', 'message', 'raw']) {
      this.follow(this.client.listener(name), (event) => this.log.add(name, event.error || event.message || event));
    }
  }

  async follow(stream, handle) {
    for await (let item of stream) handle(item);
  }

  invoke(name, data) {
    return this.client.invoke(name, data);
  }

  publish(channel, data) {
    return this.client.invokePublish(channel, data);
  }

  subscribe(name) {
    let channel = this.client.subscribe(name);
    this.follow(channel, (data) => this.log.add('published', data));
    this.follow(channel.listener('subscribe'), () => this.log.add('subscribe'));
  }

  serve(name, answer) {
    this.follow(this.client.procedure(name), (request) => request.end(answer(request.data)));
  }

  end() {
    this.client.closeAllChannels();
    this.client.disconnect();
  }
}

class BothScenario extends Scenario {
  add(Kind, server, options) {
    let client = new Kind(server, options);
    this.clients.push(client);
    this.logs.set(client, client.log);
    return client;
  }

  // So many of each, connected.
  async crowd(server, count, options = {}) {
    let all = range(count).flatMap(() => [this.add(Old, server, options), this.add(New, server, options)]);
    await Promise.all(all.map((each) => each.log.wait('connect')));
    return all;
  }

  endClient(client) {
    client.end();
  }
}

async function talk(clients) {
  assert.deepEqual(await Promise.all(clients.map((each, n) => each.invoke('echo', { n }))), clients.map((each, n) => ({ n })));
  for (let each of clients) each.subscribe('everyone');
  await Promise.all(clients.map((each) => each.log.wait('subscribe')));
  let said = [];
  for (let each of clients.slice(0, 6)) {
    said.push(`from version ${each.version}`);
    await each.publish('everyone', said.at(-1));
  }
  await Promise.all(clients.map((each) => each.log.wait('published', said.length)));
  for (let each of clients) assert.deepEqual(each.log.all('published'), said);
}

async function pingsPass(t, clients) {
  await t.quiet(4500);
  for (let each of clients) {
    assert.equal(each.client.state, 'open');
    assert.deepEqual(each.log.all('error'), []);
  }
  // Clients of version 1 never see an empty message; those of version 2 see the ping of version 1 once.
  let [old, modern] = [clients.filter((each) => each.version === 1), clients.filter((each) => each.version === 2)];
  for (let each of old) assert.deepEqual(each.log.all('raw'), []);
  for (let each of modern) assert.deepEqual(each.log.all('raw').length, 1);
  assert.equal(old[0].log.all('message').filter((message) => message === '#1').length > 4, true);
}

const AUTO = { protocolVersion: 'auto', pingInterval: 400, pingTimeout: 4000 };
const RECONNECTING = { autoReconnect: true, autoReconnectOptions: { initialDelay: 30, randomness: 20, multiplier: 1 } };

async function fiftyOfEach(t) {
  let server = await t.serve({ options: AUTO });
  let clients = await t.crowd(server, 50);
  await talk(clients);
  await pingsPass(t, clients);
  assert.equal((await server.call('counts')).clientsCount, 100);
  assert.deepEqual(server.log.all('warning'), []);
  await talkAgain(clients);
}

async function talkAgain(clients) {
  assert.deepEqual(await Promise.all(clients.map((each, n) => each.invoke('echo', n))), range(clients.length));
}

async function fiftyOfEachReconnect(t) {
  let server = await t.serve({ options: AUTO });
  let clients = await t.crowd(server, 50, RECONNECTING);
  await talk(clients);
  let before = clients[0].log.all('published').length;
  await server.stop();
  await Promise.all(clients.map((each) => each.log.wait('disconnect')));
  await server.start(server.port);
  await Promise.all(clients.map((each) => each.log.wait('subscribe', 2)));
  await server.call('publish', { channel: 'everyone', data: 'we are back' });
  await Promise.all(clients.map((each) => each.log.wait('published', before + 1)));
  await talkAgain(clients);
}

async function silentOnesAreClosed(t) {
  let server = await t.serve({ options: { ...AUTO, pingInterval: 100, pingTimeout: 2500 } });
  let clients = [t.add(Old, server), t.add(New, server)];
  await Promise.all(clients.map((each) => each.log.wait('connect')));
  await t.quiet(300);
  for (let each of clients) {
    let webSocket = each.client.transport.socket;
    webSocket.send = () => {};
  }
  for (let each of clients) assert.equal((await each.log.wait('disconnect')).code, 4001);
}

async function silentFromTheStart(t) {
  let server = await t.serve({ options: { ...AUTO, pingInterval: 100, pingTimeout: 2500 } });
  for (let Kind of [Old, New]) {
    let client = t.add(Kind, server);
    client.log.until('connected', () => client.log.all('connect').length).then(() => (client.client.transport.socket.send = () => {}));
    assert.equal((await client.log.wait('disconnect')).code, 4001);
  }
}

async function serverCalls(t) {
  let server = await t.serve({ options: AUTO });
  for (let client of await t.crowd(server, 1)) {
    client.serve('question', (data) => data * 2);
    assert.deepEqual(await client.invoke('callBack', { procedure: 'question', data: 21 }), { result: 42 });
  }
}

async function pathOfItsOwn(t) {
  let server = await t.serve({ options: { ...AUTO, protocolVersion: 2, pathV1: '/old/' } });
  let clients = [t.add(Old, server, { path: '/old/' }), t.add(New, server)];
  await Promise.all(clients.map((each) => each.log.wait('connect')));
  await talk(clients);
  await t.quiet(4500);
  for (let each of clients) assert.deepEqual([each.client.state, each.log.all('raw')], ['open', []]);
}

async function callbackServer(t) {
  let server = await t.serve({ api: 'v14', app: {}, options: AUTO });
  let clients = await t.crowd(server, 10);
  await talk(clients);
  await pingsPass(t, clients);
  for (let each of clients.slice(0, 2)) {
    each.invoke('hangUp', { code: 4200, reason: 'go away' }).catch(() => {});
    let { code, reason } = await each.log.wait('disconnect');
    assert.deepEqual([code, reason], [4200, 'go away']);
  }
}

async function callbackServerWithPath(t) {
  let server = await t.serve({ api: 'v14', app: {}, options: { ...AUTO, protocolVersion: 2, pathV1: '/old/' } });
  let clients = [t.add(Old, server, { path: '/old/' }), t.add(New, server)];
  await Promise.all(clients.map((each) => each.log.wait('connect')));
  await talk(clients);
  await t.quiet(4500);
  for (let each of clients) assert.deepEqual([each.client.state, each.log.all('raw')], ['open', []]);
}

main({
  Scenario: BothScenario,
  scenarios: {
    fiftyOfEach, fiftyOfEachReconnect, silentOnesAreClosed, silentFromTheStart, serverCalls, pathOfItsOwn, callbackServer,
    callbackServerWithPath
  },
  timed: ['silentOnesAreClosed', 'silentFromTheStart'],
  heavy: ['fiftyOfEach', 'fiftyOfEachReconnect'],
  beyondTheReference: []
});
