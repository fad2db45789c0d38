// What every server of version 14 in these tests does with its sockets, on the reference. pythonserver.py has its twin.
'use strict';

const SERVER_EVENTS = [
  'error', 'notice', 'warning', 'handshake', 'connectionAbort', 'connection', 'disconnection', 'closure', 'subscription',
  'unsubscription', 'authentication', 'deauthentication', 'authenticationStateChange', 'badSocketAuthToken'
];
const SOCKET_EVENTS = [
  'error', 'raw', 'message', 'connect', 'disconnect', 'connectAbort', 'close', 'subscribe', 'unsubscribe',
  'badAuthToken', 'authenticate', 'deauthenticate', 'authStateChange', 'authTokenSigned'
];
const REQUEST_FIELDS = ['event', 'channel', 'data', 'waitForAuth', 'authToken'];

const orNull = (value) => value === undefined ? null : value;

// Gives an argument of an event a form that can be compared.
function view(value) {
  if (value == null) return null;
  if (value instanceof Error) return {name: value.name, message: value.message};
  if (value.channelSubscriptions) return '<socket>';
  if (Buffer.isBuffer(value)) return {bytes: value.toString('hex')};
  if (typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member != null).map(
    ([name, member]) => [name, member instanceof Error ? view(member) : member]));
}

function makeError(description) {
  return Object.assign(new Error(description.message), description);
}

class Application {
  constructor(server, setup, log, gate) {
    this.server = server;
    this.setup = setup;
    this.log = log;
    this.gate = gate;
    for (const name of SERVER_EVENTS) {
      server.on(name, (...values) => log.push({server: name, values: values.map(view)}));
    }
    server.on(setup.serveFrom || 'handshake', (socket) => this.serve(socket));
    for (const [line, rules] of Object.entries(setup.middleware || {})) {
      for (const rule of rules) {
        server.addMiddleware(line, (request, next) => this.judge(line, rule, request, next));
      }
    }
    for (const channel of setup.watch || []) {
      server.exchange.watch(channel, (data) => log.push({exchange: channel, data: orNull(data)}));
      server.exchange.subscribe(channel);
    }
    if (setup.holdUnsubscribe) {
      const broker = server.brokerEngine;
      const original = broker.unsubscribeSocket;
      broker.unsubscribeSocket = (socket, channel, callback) => original.call(broker, socket, channel, () => {
        this.gate.hold(() => callback && callback());
      });
    }
    if (setup.failSubscribe != null) {
      server.brokerEngine.subscribeSocket = (socket, channel, callback) => callback(makeError(setup.failSubscribe));
    }
  }

  judge(line, rule, request, next) {
    const seen = {middleware: line};
    for (const field of REQUEST_FIELDS) {
      if (request[field] != null) seen[field] = request[field];
    }
    if (line === 'handshakeWS') seen.url = request.url;
    if (request.authTokenExpiredError) seen.expired = view(request.authTokenExpiredError);
    this.log.push(seen);
    const target = request.channel || request.event;
    if (rule.name != null && rule.name !== target) return next();
    if (rule.setAuthToken) request.socket.setAuthToken(rule.setAuthToken);
    if ('replace' in rule) request.data = rule.replace;
    if ('channel' in rule) request.channel = rule.channel;
    if ('ackData' in rule) request.ackData = rule.ackData;
    if (rule.useCache) request.useCache = true;
    const decide = () => {
      const error = rule.expired ? request.authTokenExpiredError :
        rule.block && typeof rule.block === 'object' ? makeError(rule.block) : rule.block;
      'value' in rule ? next(error, rule.value) : error === undefined ? next() : next(error);
      if (rule.twice) {
        try {
          next(makeError({name: 'TwiceError', message: 'twice'}));
        } catch (failure) {
          this.log.push({refused: 'twice'});
        }
      }
    };
    if (rule.delay) setTimeout(decide, rule.delay);
    else if (rule.hold) this.gate.hold(decide);
    else decide();
  }

  serve(socket) {
    for (const name of SOCKET_EVENTS) {
      if (name === 'message' && this.setup.isDeaf) continue;
      socket.on(name, (...values) => this.log.push({socket: name, values: values.map(view)}));
    }
    for (const [name, handle] of Object.entries(PROCEDURES)) {
      socket.on(name, (data, respond) => handle(socket, orNull(data), respond, this));
    }
    for (const name of this.setup.names || []) {
      socket.on(name, (data, respond) => respond(null, {called: name, data: orNull(data)}));
    }
    if (this.setup.publishOnUnsubscribe) {
      socket.on('unsubscribe', (channel) => this.server.exchange.publish(channel, 'left'));
    }
    if (this.setup.kickAfterSubscribe) {
      socket.on('subscribe', (channel) => socket.kickOut(channel, 'out'));
    }
    if (this.setup.greet) {
      socket.on('connect', () => socket.emit('greeting', this.setup.greet));
    }
  }
}

const PROCEDURES = {
  echo: (socket, data, respond) => respond(null, data),
  empty: (socket, data, respond) => respond(),
  nothing: (socket, data, respond) => respond(null, null),
  fail: (socket, data, respond) => respond(data && typeof data === 'object' ? makeError(data) : data),
  failWithData: (socket, data, respond) => respond(makeError(data.error), data.data),
  twice: (socket, data, respond, {log}) => {
    respond(null, 1);
    try {
      respond(null, 2);
    } catch (error) {
      log.push({refused: view(error)});
    }
  },
  slow: (socket, data, respond) => setTimeout(() => respond(null, 'slow'), data),
  held: (socket, data, respond, {gate}) => gate.hold(() => respond(null, 'held')),
  login: (socket, data, respond) => {
    socket.setAuthToken(data.token, data.options);
    respond(null, 'in');
  },
  loginAtOnce: (socket, data, respond) => {
    socket.setAuthToken(data);
    respond(null, 'in');
  },
  loginConfirmed: (socket, data, respond) => socket.setAuthToken(data, null, (error, answer) => {
    respond(null, {error: view(error), answer: error ? null : orNull(answer)});
  }),
  logout: (socket, data, respond) => {
    socket.deauthenticate();
    respond(null, 'out');
  },
  logoutConfirmed: (socket, data, respond) => socket.deauthenticate((error, answer) => {
    respond(null, {error: view(error), answer: error ? null : orNull(answer)});
  }),
  forget: (socket, data, respond) => {
    socket.deauthenticateSelf();
    respond(null, 'forgotten');
  },
  kickOut: (socket, data, respond) => {
    const {channel, message} = data || {};
    socket.kickOut(channel, message, () => respond(null, socket.subscriptions().sort()));
  },
  // Clients have an event of the other name themselves.
  expel: (socket, data, respond) => PROCEDURES.kickOut(socket, data, respond),
  hangUp: (socket, data, respond) => {
    const {code, reason} = data || {};
    respond();
    socket.disconnect(code, reason);
  },
  disconnectFirst: (socket, data, respond) => {
    socket.disconnect(4100, 'first');
    socket.emit('late', 1);
    respond();
  },
  destroy: (socket, data, respond, {log}) => {
    log.push({active: socket.active});
    socket.destroy(data.code, data.reason);
    log.push({active: socket.active});
  },
  terminate: (socket) => socket.terminate(),
  state: (socket, data, respond) => respond(null, {
    state: socket.state,
    authState: socket.authState,
    authToken: socket.authToken || null,
    subscriptions: socket.subscriptions().sort(),
    count: socket.channelSubscriptionsCount,
    active: socket.active,
    url: socket.request.url
  }),
  counts: (socket, data, respond, {server}) => respond(null, {
    clients: server.clientsCount,
    pending: server.pendingClientsCount,
    registered: Object.keys(server.clients).length
  }),
  call: (socket, data, respond) => {
    const callback = (error, answer) => respond(null, error ? {failure: view(error)} : {answer: orNull(answer)});
    socket.emit(data.event, 'data' in data ? data.data : undefined, callback);
  },
  tell: (socket, data, respond) => {
    socket.emit(data.event, 'data' in data ? data.data : undefined);
    respond();
  },
  sendRaw: (socket, data, respond) => {
    socket.send(data);
    respond();
  },
  publish: (socket, data, respond, {server}) => {
    server.exchange.publish(data.channel, data.data, (error) => respond(error));
  },
  burst: (socket, data, respond, {server}) => {
    for (let i = 0; i < data.count; i++) {
      server.exchange.publish(data.channel, i);
    }
    respond();
  },
  bytes: (socket, data, respond) => respond(null, {bytes: Buffer.from([0, 1, 254, 255]), list: [Buffer.from('hi')]}),
  answerInBatch: (socket, data, respond) => respond(null, data, {batch: true}),
  exchange: (socket, data, respond, {server}) => {
    const channel = server.exchange.subscribe('x');
    const before = [server.exchange.isSubscribed('x'), server.exchange.subscriptions(), channel.state];
    channel.unsubscribe();
    const after = [server.exchange.isSubscribed('x'), server.exchange.subscriptions(), channel.state];
    server.exchange.destroyChannel('x');
    respond(null, {before, after, watchers: server.exchange.watchers('x').length});
  }
};

module.exports = {Application};
