'use strict';

// The scenarios of version 14's server: socketcluster-client 14 talks to SCServer, the reference's or agtwisted's.

const http = require('node:http');
const jsonwebtoken = require('jsonwebtoken');
const { Scenario, main } = require('./harness');

const CLIENT_EVENTS = [
  'connecting', 'connect', 'connectAbort', 'disconnect', 'close', 'error', 'authenticate', 'deauthenticate', 'authStateChange',
  'removeAuthToken', 'subscribe', 'subscribeFail', 'unsubscribe', 'kickOut', 'raw', 'message'
];

class CallbackScenario extends Scenario {
  async serve(plan = {}) {
    return super.serve({ app: {}, api: 'v14', ...plan });
  }

  createClient(options) {
    return this.library.create({ multiplex: false, ...options });
  }

  watch(client, log) {
    for (let name of CLIENT_EVENTS) client.on(name, (...values) => log.add(name, values));
  }

  endClient(client) {
    client.destroy();
  }

  async connected(server, options) {
    let client = this.client(server, options);
    await this.log(client).wait('connect');
    return client;
  }

  invoke(client, event, data) {
    return new Promise((resolve, reject) => client.emit(event, data, (error, result) => (error ? reject(error) : resolve(result))));
  }

  // The error and the data of an answer; there may be both.
  answer(client, event, data) {
    return new Promise((resolve) => client.emit(event, data, (error, result) => resolve({ error, result })));
  }

  publish(client, channel, data) {
    return new Promise((resolve) => client.publish(channel, data, (error, ackData) => resolve({ error, ackData })));
  }

  authenticate(client, token) {
    return new Promise((resolve) => client.authenticate(token, (error, status) => resolve({ error, status })));
  }

  collect(client, channelName, options) {
    let messages = [];
    client.subscribe(channelName, options).watch((data) => {
      messages.push(data);
      this.log(client).add('published', data);
    });
    return messages;
  }

  async subscribed(client, channel, options) {
    let messages = this.collect(client, channel, options);
    await this.log(client).waitFor('subscribe', ([name]) => name === channel);
    return messages;
  }

  store(token) {
    let kept = { token: token || null };
    return {
      kept,
      saveToken: (name, value, options, callback) => callback(null, kept.token = value),
      removeToken: (name, callback) => {
        let old = kept.token;
        kept.token = null;
        callback(null, old);
      },
      loadToken: (name, callback) => callback(null, kept.token)
    };
  }

  sign(data, options, key = this.defaultServerOptions().authKey) {
    return jsonwebtoken.sign(data, key, options);
  }
}

// Servers of the reference, in this process.
class NodeHost {
  constructor() {
    this.servers = new Map();
    this.gates = new Map();
  }

  start({ options, app, port }, onReport) {
    let { attach } = require('sc14server');
    let { Application } = require('../differential/v14/application');
    let { Gate } = require('../differential/gate');
    let httpServer = http.createServer();
    let sockets = new Set();
    httpServer.on('connection', (socket) => sockets.add(socket) && socket.on('close', () => sockets.delete(socket)));
    let server = attach(httpServer, { ...options });
    let gate = new Gate();
    new Application(server, app, { push: (entry) => {
      if (entry.server) onReport(entry.server, entry.values);
      else if (entry.socket) onReport(`socket.${entry.socket}`, entry.values);
      else onReport(entry.middleware ? 'action' : 'other', entry);
    } }, gate);
    return new Promise((resolve) => httpServer.listen(port, '127.0.0.1', () => {
      let key = httpServer.address().port;
      this.gates.set(key, gate);
      this.servers.set(key, () => new Promise((stopped) => {
        httpServer.close(stopped);
        for (let socket of sockets) socket.destroy();
        server.close();
      }));
      resolve({ key, port: key });
    }));
  }

  // The one command: let the application go on with what it holds back.
  call(key, name) {
    return new Promise((resolve) => this.gates.get(key)[name](resolve));
  }

  stop(key) {
    return this.servers.get(key)();
  }
}

const TOPICS = ['connecting', 'calls', 'channels', 'authentication', 'middleware'];

main({
  Scenario: CallbackScenario,
  NodeHost,
  scenarios: Object.assign({}, ...TOPICS.map((topic) => require(`./v14/${topic}`))),
  timed: ['pingsAndPongs', 'silentClient', 'silentServer', 'pingTimeoutDisabled'],
  heavy: ['aHundredClients'],
  beyondTheReference: ['kickOutOfAll', 'textChannelsAreSeen']
});
