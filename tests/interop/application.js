'use strict';

// The server application of the scenarios on the reference server, the control. It is the twin of application.py: a
// scenario gives a plan (options, middleware rules, what to record) and later sends commands, and both sides must
// behave alike, so that every scenario can be shown to pass against the reference before it judges another server.

const http = require('node:http');
const { attach, AGServer } = require('socketcluster-server');

const SERVER_EVENTS = [
  'handshake', 'connection', 'connectionAbort', 'disconnection', 'closure', 'subscription', 'unsubscription',
  'authentication', 'deauthentication', 'authenticationStateChange', 'badSocketAuthToken', 'warning', 'error', 'ready'
];

const BASE64_CODEC = {
  encode: (object) => Buffer.from(JSON.stringify(object)).toString('base64'),
  decode: (text) => text === '' || text == null ? text : JSON.parse(Buffer.from(text.toString(), 'base64').toString())
};

function describeError(error) {
  return { ...error, name: error.name, message: error.message };
}

function makeError({ name, message, ...fields }) {
  let error = new Error(message);
  error.name = name;
  return Object.assign(error, fields);
}

function describe(data) {
  let description = {};
  for (let [key, value] of Object.entries(data || {})) {
    if (value == null) continue;
    if (key === 'socket') {
      description.id = value.id;
      description.state = value.state;
    } else if (value instanceof Error) {
      description[key] = describeError(value);
    } else {
      description[key] = value;
    }
  }
  return description;
}

// As it would have come from a server in another process.
function asJSON(value) {
  return value === undefined ? null : JSON.parse(JSON.stringify(value));
}

class Gates {
  constructor() {
    this.gates = new Map();
  }

  gate(name) {
    if (!this.gates.has(name)) {
      let gate = {};
      gate.promise = new Promise((resolve) => { gate.open = resolve; });
      this.gates.set(name, gate);
    }
    return this.gates.get(name);
  }

  wait(name) {
    return this.gate(name).promise;
  }

  open(name) {
    this.gate(name).open();
  }
}

class Application {
  constructor(server, plan, report) {
    this.server = server;
    this.plan = plan;
    this.report = report;
    this.gates = new Gates();
    this.sockets = [];
    this.held = [];
    this.setUpRecords();
    this.setUpBroker();
    this.setUpMiddleware();
    this.setUpSockets();
  }

  // Records

  record(emitter, name, label) {
    (async () => {
      for await (let event of emitter.listener(name)) this.report(label, describe(event));
    })();
  }

  setUpRecords() {
    for (let name of this.plan.serverEvents || SERVER_EVENTS) this.record(this.server, name, name);
    for (let name of this.plan.brokerEvents || []) this.record(this.server.brokerEngine, name, `broker.${name}`);
    for (let name of this.plan.exchangeEvents || []) this.record(this.server.exchange, name, `exchange.${name}`);
  }

  setUpBroker() {
    let broker = this.server.brokerEngine;
    if (this.plan.slowUnsubscribe) {
      let original = broker.unsubscribeSocket;
      broker.unsubscribeSocket = async (socket, channel) => {
        this.report('unsubscribing', { channel });
        await this.gates.wait('unsubscribe');
        return original.call(broker, socket, channel);
      };
    }
  }

  // Middleware

  setUpMiddleware() {
    let lines = {};
    for (let rule of this.plan.rules || []) (lines[rule.line] = lines[rule.line] || []).push(rule);
    for (let [line, rules] of Object.entries(lines)) {
      this.server.setMiddleware(line, async (stream) => {
        for await (let action of stream) await this.judge(action, rules);
      });
    }
  }

  matches(action, rule) {
    for (let key of ['type', 'channel', 'procedure', 'receiver']) {
      if (rule[key] != null && rule[key] !== action[key]) return false;
    }
    if (rule.contains != null && !String(action.data).includes(rule.contains)) return false;
    if (rule.user != null && rule.user !== (action.authToken || {}).username) return false;
    if (rule.query != null && !(action.request || action.socket.request).url.includes(rule.query)) return false;
    return true;
  }

  reportAction(action, line) {
    let { type, channel, procedure, receiver, data, authToken, signedAuthToken, authTokenExpiredError } = action;
    let url = (action.request || action.socket.request).url;
    let description = describe({ line, type, channel, procedure, receiver, authToken, signedAuthToken, url,
      authTokenExpiredError });
    if (type !== action.HANDSHAKE_SC && data !== undefined) description.data = data;
    if (type === action.HANDSHAKE_SC) description.authState = data.authState;
    this.report('action', description);
  }

  async judge(action, rules) {
    this.reportAction(action, rules[0].line);
    let rule = rules.find((candidate) => this.matches(action, candidate));
    let { allow, block } = action;
    if (!rule) return allow();
    if (rule.hold) await this.gates.wait(rule.hold);
    if (rule.setAuthToken) await this.trySetAuthToken(action.socket, rule.setAuthToken);
    if (rule.silent) return block();
    if (rule.error) return block(makeError(rule.error));
    if ('replace' in rule) return allow({ data: rule.replace });
    allow();
  }

  async trySetAuthToken(socket, data) {
    try {
      await socket.setAuthToken(data);
    } catch (error) {
      this.report('setAuthTokenFailed', describeError(error));
    }
  }

  // Sockets

  setUpSockets() {
    (async () => {
      for await (let { socket } of this.server.listener('handshake')) {
        for (let name of this.plan.socketEvents || []) this.record(socket, name, `socket.${name}`);
        if (this.plan.publishOnUnsubscribe) this.publishOnUnsubscribe(socket);
      }
    })();
    (async () => {
      for await (let { socket } of this.server.listener('connection')) {
        this.sockets.push(socket);
        this.serve(socket);
      }
    })();
  }

  async publishOnUnsubscribe(socket) {
    for await (let { channel } of socket.listener('unsubscribe')) {
      await this.server.exchange.invokePublish(channel, `${socket.id} left`);
      this.report('farewell', { channel });
    }
  }

  serve(socket) {
    this.procedure(socket, 'echo', (request) => request.end(request.data));
    this.procedure(socket, 'nothing', (request) => request.end());
    this.procedure(socket, 'fail', (request) => request.error(makeError(request.data)));
    this.procedure(socket, 'hold', (request) => this.held.push(request) && this.report('held', { data: request.data }));
    this.procedure(socket, 'twice', (request) => this.answerTwice(request));
    this.procedure(socket, 'bytes', (request) => request.end(Buffer.from(request.data)));
    this.procedure(socket, 'login', (request) => this.login(request));
    this.procedure(socket, 'callBack', (request) => this.callBack(request));
    for (let name of this.plan.procedures || []) this.procedure(socket, name, (request) => request.end([name, request.data]));
    for (let name of this.plan.receivers || ['note']) this.receive(socket, name);
    if (this.plan.once) this.answerOnce(socket, this.plan.once);
    if (this.plan.slow) this.consumeSlowly(socket.receiver(this.plan.slow));
  }

  async procedure(socket, name, answer) {
    for await (let request of socket.procedure(name)) answer(request);
  }

  async receive(socket, name) {
    for await (let data of socket.receiver(name)) {
      this.report('received', { id: socket.id, receiver: name, data });
      if (data === 'stop') break;
    }
    this.report('receiverEnded', { id: socket.id, receiver: name });
  }

  async answerOnce(socket, name) {
    let request = await socket.procedure(name).once();
    request.end('once');
  }

  async consumeSlowly(stream) {
    let count = 0;
    for await (let data of stream) {
      this.report('slowStarted', { data });
      await this.gates.wait(`slow${count++}`);
      this.report('slowHandled', { data });
    }
    this.report('slowEnded', { count });
  }

  answerTwice(request) {
    request.end('first');
    try {
      request.end('second');
    } catch (error) {
      this.report('answeredTwice', describeError(error));
    }
  }

  async login(request) {
    let { options, ...claims } = request.data;
    try {
      await request.socket.setAuthToken(claims, options);
    } catch (error) {
      this.report('loginFailed', describeError(error));
      return;
    }
    request.end();
  }

  async callBack(request) {
    let { procedure, data, ackTimeout } = request.data;
    try {
      let result = await request.socket.invoke(procedure, data, ackTimeout == null ? undefined : { ackTimeout });
      request.end({ result });
    } catch (error) {
      this.report('callBackFailed', describeError(error));
      if (request.socket.state === 'open') request.end({ error: describeError(error) });
    }
  }

  // Commands

  find(id) {
    return this.sockets.find((socket) => id == null || socket.id === id);
  }

  command(name, args) {
    return this[`command_${name}`](args || {});
  }

  command_open({ gate }) {
    this.gates.open(gate);
  }

  command_publish({ channel, data }) {
    return this.server.exchange.transmitPublish(channel, data).then(() => null);
  }

  command_invokePublish({ channel, data }) {
    return this.server.exchange.invokePublish(channel, data).then(() => null);
  }

  command_watch({ channel }) {
    (async () => {
      for await (let data of this.server.exchange.subscribe(channel)) this.report('watched', { channel, data });
      this.report('watchEnded', { channel });
    })();
    (async () => {
      for await (let data of this.server.exchange.channel(channel)) this.report('watchedToo', { channel, data });
    })();
    return this.command_exchange({ channel });
  }

  command_watchSlowly({ channel }) {
    this.consumeSlowly(this.server.exchange.subscribe(channel));
  }

  command_exchangeBackpressure({ channel }) {
    let { exchange } = this.server;
    return {
      all: exchange.getBackpressure(), channels: exchange.getAllChannelsBackpressure(),
      channel: exchange.channel(channel).getBackpressure()
    };
  }

  command_unwatch({ channel }) {
    this.server.exchange.unsubscribe(channel);
    this.server.exchange.closeChannel(channel);
    return this.command_exchange({ channel });
  }

  command_exchange({ channel }) {
    let { exchange, brokerEngine } = this.server;
    return {
      subscribed: exchange.isSubscribed(channel),
      subscriptions: exchange.subscriptions(),
      broker: brokerEngine.subscriptions().sort()
    };
  }

  command_counts() {
    let { clientsCount, pendingClientsCount, clients, pendingClients } = this.server;
    return { clientsCount, pendingClientsCount, clients: Object.keys(clients), pendingClients: Object.keys(pendingClients) };
  }

  command_options() {
    let { options, pingTimeout } = this.server;
    return { pingTimeout, optionPingTimeout: options.pingTimeout, path: options.path, ackTimeout: options.ackTimeout };
  }

  command_socket({ id }) {
    let socket = this.find(id);
    return {
      state: socket.state, authState: socket.authState, authToken: socket.authToken || null, url: socket.request.url,
      signed: socket.signedAuthToken || null, subscriptions: socket.subscriptions(),
      count: socket.channelSubscriptionsCount, remoteAddress: socket.remoteAddress
    };
  }

  command_backpressure({ id }) {
    let socket = this.find(id);
    return {
      inbound: socket.getInboundBackpressure(), outbound: socket.getOutboundBackpressure(), total: socket.getBackpressure()
    };
  }

  command_setKey({ signatureKey, verificationKey }) {
    if (signatureKey) this.server.signatureKey = signatureKey;
    if (verificationKey) this.server.verificationKey = verificationKey;
  }

  command_sign({ data, key, options }) {
    return this.server.auth.signToken(data, key, options);
  }

  command_setRules({ rules }) {
    for (let line of new Set(rules.map((rule) => rule.line))) this.server.removeMiddleware(line);
    this.plan.rules = rules.filter((rule) => rule.type);
    this.setUpMiddleware();
  }

  command_replaceAuthEngine() {
    this.server.setAuthEngine({ verifyToken: async (signed, key, { socket }) => ({ username: `${signed} by ${key}`, id: socket.id }) });
  }

  command_answer({ data }) {
    this.held.shift().end(data);
  }

  // Steps that one piece of server code takes on a socket without waiting in between.
  async command_script({ id, steps }) {
    let socket = this.find(id);
    let pending = steps.map(([method, ...args]) => Promise.resolve(socket[method](...args)));
    let results = await Promise.allSettled(pending);
    return results.map(({ status, value, reason }) =>
      status === 'rejected' ? { error: describeError(reason) } : { value: Array.isArray(value) || value === undefined ? null : value });
  }

  // Steps as above, with what the socket's subscriptions look like right behind them.
  async command_kickOut({ id, args }) {
    let socket = this.find(id);
    let pending = socket.kickOut(...args);
    await new Promise(setImmediate);
    let { subscriptions, count } = this.command_socket({ id });
    await pending;
    return { subscriptions, count };
  }
}

function slowAuthEngine(application) {
  let AuthEngine = require('ag-auth');
  let engine = new AuthEngine();
  return {
    signToken: (...args) => engine.signToken(...args),
    verifyToken: async (...args) => {
      if (args[0]) {
        application().report('verifying', { hasSocket: !!args[2].socket, key: args[1] });
        await application().gates.wait('verify');
      }
      return engine.verifyToken(...args);
    }
  };
}

class NodeHost {
  constructor() {
    this.running = new Map();
    this.nextKey = 1;
  }

  async start(plan, onReport) {
    let options = { ...plan.options };
    let application;
    if (options.codecEngine === 'base64') options.codecEngine = BASE64_CODEC;
    if (options.authEngine === 'slow') options.authEngine = slowAuthEngine(() => application);
    let httpServer = http.createServer((request, response) => response.writeHead(501).end());
    let server = attach(httpServer, options);
    application = new Application(server, plan, (name, data) => onReport(name, asJSON(data)));
    await new Promise((resolve, reject) => httpServer.once('error', reject).listen(plan.port || 0, '127.0.0.1', resolve));
    let key = this.nextKey++;
    this.running.set(key, { httpServer, server, application });
    return { key, port: httpServer.address().port };
  }

  async call(key, name, args) {
    let value = await this.running.get(key).application.command(name, args);
    for (let round = 0; round < 3; round++) await new Promise(setImmediate);
    return asJSON(value);
  }

  async stop(key) {
    let { httpServer, server } = this.running.get(key);
    this.running.delete(key);
    let closed = new Promise((resolve) => httpServer.close(resolve));
    await server.close();
    for (let socket of Object.values(server.pendingClients)) socket.terminate();
    await closed;
  }
}

module.exports = { NodeHost, AGServer };
