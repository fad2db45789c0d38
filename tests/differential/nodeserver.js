// The Node side of the differential tests: many small servers in one process, started and asked about over stdin and
// stdout, one line of JSON each way. What the application does is described in README.md; pythonserver.py is its twin.
'use strict';

const http = require('http');
const readline = require('readline');
const {attach} = require('socketcluster-server');

const {Gate} = require('./gate');

const SERVER_EVENTS = [
  'error', 'warning', 'handshake', 'connectionAbort', 'connection', 'disconnection', 'closure', 'subscription',
  'unsubscription', 'authentication', 'deauthentication', 'authenticationStateChange', 'badSocketAuthToken'
];
const SOCKET_EVENTS = [
  'error', 'raw', 'message', 'connect', 'disconnect', 'connectAbort', 'close', 'end', 'subscribe', 'unsubscribe',
  'badAuthToken', 'authenticate', 'deauthenticate', 'authStateChange', 'authTokenSigned'
];
const FIELDS = [
  'id', 'pingTimeout', 'isAuthenticated', 'code', 'reason', 'channel', 'subscriptionOptions', 'authToken',
  'oldAuthToken', 'oldAuthState', 'newAuthState', 'signedAuthToken', 'message'
];
const ERROR_FIELDS = ['error', 'warning', 'authError'];

const faults = [];
process.on('unhandledRejection', (error) => faults.push(String(error)));
process.on('uncaughtException', (error) => faults.push(String(error)));

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// Missing data reads as None in Python, so the application treats it like null here too.
const orNull = (value) => value === undefined ? null : value;

function view(event) {
  const seen = {};
  if (!event) {
    return seen;
  }
  for (const field of FIELDS) {
    const value = event[field];
    if (value != null) {
      seen[field] = Buffer.isBuffer(value) ? {bytes: value.toString('hex')} : value;
    }
  }
  for (const field of ERROR_FIELDS) {
    if (event[field] != null) {
      seen[field] = {name: event[field].name, message: event[field].message};
    }
  }
  return seen;
}

function makeError(description) {
  return Object.assign(new Error(description.message), description);
}

function describe(error) {
  return {name: error.name, message: error.message};
}

// Follows a stream for as long as it lives.
async function follow(stream, handle) {
  for await (const item of stream) {
    handle(item);
  }
}

class Application {
  constructor(server, setup, log, gate) {
    this.server = server;
    this.setup = setup;
    this.log = log;
    this.gate = gate;
    for (const name of SERVER_EVENTS) {
      follow(server.listener(name), (event) => log.push({server: name, ...view(event)}));
    }
    follow(server.listener(setup.serveFrom || 'handshake'), ({socket}) => this.serve(socket));
    for (const [line, rules] of Object.entries(setup.middleware || {})) {
      server.setMiddleware(line, (stream) => this.judge(line, rules, stream));
    }
    for (const channel of setup.watch || []) {
      follow(server.exchange.subscribe(channel), (data) => log.push({exchange: channel, data}));
    }
    if (setup.holdUnsubscribe) {
      const broker = server.brokerEngine;
      const original = broker.unsubscribeSocket;
      broker.unsubscribeSocket = async (socket, channel) => {
        await this.held();
        return original.call(broker, socket, channel);
      };
    }
  }

  // Wait for the script.
  held() {
    return new Promise((resolve) => this.gate.hold(resolve));
  }

  async judge(line, rules, stream) {
    for await (const action of stream) {
      const name = action.channel || action.procedure || action.receiver || null;
      const seen = {middleware: line, type: action.type};
      for (const field of ['channel', 'procedure', 'receiver', 'data', 'authToken', 'signedAuthToken']) {
        if (action[field] != null) {
          seen[field] = Buffer.isBuffer(action[field]) ? {bytes: action[field].toString('hex')} : action[field];
        }
      }
      if (action.type === 'handshakeSC') {
        seen.data = view(action.data);
      }
      if (action.request && action.type === 'handshakeWS') {
        seen.url = action.request.url;
      }
      if (action.authTokenExpiredError) {
        seen.expired = describe(action.authTokenExpiredError);
      }
      this.log.push(seen);
      const rule = rules.find((candidate) => candidate.type === action.type &&
        (candidate.name == null || candidate.name === name)) || {};
      if (rule.delay) {
        await sleep(rule.delay);
      }
      if (rule.hold) {
        await this.held();
      }
      if (rule.setAuthToken) {
        try {
          await action.socket.setAuthToken(rule.setAuthToken);
        } catch (error) {
          this.log.push({refused: describe(error)});
        }
      }
      if (rule.twice) {
        action.allow();
        try {
          action.block(new Error('late'));
        } catch (error) {
          this.log.push({refused: describe(error)});
        }
      } else if (rule.block) {
        action.block(makeError(rule.block));
      } else if (rule.block === null) {
        action.block();
      } else if ('replace' in rule) {
        action.allow({data: rule.replace});
      } else {
        action.allow();
      }
    }
  }

  serve(socket) {
    const {log} = this;
    for (const name of SOCKET_EVENTS) {
      follow(socket.listener(name), (event) => log.push({socket: name, ...view(event)}));
    }
    for (const [name, handle] of Object.entries(PROCEDURES)) {
      follow(socket.procedure(name), (request) => this.answer(handle, socket, request));
    }
    for (const name of this.setup.names || []) {
      follow(socket.procedure(name), (request) => request.end({called: name, data: orNull(request.data)}));
      follow(socket.receiver(name), (data) => socket.transmit(name, orNull(data)));
    }
    follow(socket.receiver('echo'), (data) => socket.transmit('echo', orNull(data)));
    follow(socket.receiver('logout'), () => socket.deauthenticate());
    if (this.setup.publishOnUnsubscribe) {
      follow(socket.listener('unsubscribe'), ({channel}) => {
        this.server.exchange.transmitPublish(channel, 'left');
      });
    }
    if (this.setup.kickAfterSubscribe) {
      follow(socket.listener('subscribe'), ({channel}) => {
        socket.kickOut(channel, 'out');
      });
    }
  }

  async answer(handle, socket, request) {
    try {
      await handle(socket, request, this.server, this);
    } catch (error) {
      if (request.sent) {
        this.log.push({refused: describe(error)});
      } else {
        request.error(makeError(describe(error)));
      }
    }
  }
}

const PROCEDURES = {
  echo: (socket, request) => request.end(orNull(request.data)),
  empty: (socket, request) => request.end(),
  nothing: (socket, request) => request.end(null),
  fail: (socket, request) => request.error(makeError(request.data)),
  twice: (socket, request) => {
    request.end(1);
    request.end(2);
  },
  slow: async (socket, request) => {
    await sleep(request.data);
    request.end('slow');
  },
  held: async (socket, request, server, application) => {
    await application.held();
    request.end('held');
  },
  login: async (socket, request) => {
    await socket.setAuthToken(request.data.token, request.data.options);
    await sleep(1);
    request.end('in');
  },
  logout: async (socket, request) => {
    await socket.deauthenticate(request.data || undefined);
    await sleep(1);
    request.end('out');
  },
  loginAtOnce: async (socket, request) => {
    await socket.setAuthToken(request.data);
    request.end('in');
  },
  forget: (socket, request) => {
    socket.deauthenticateSelf();
    request.end('forgotten');
  },
  kickOut: async (socket, request) => {
    const {channel, message} = request.data || {};
    await socket.kickOut(channel, message);
    await sleep(1);
    request.end(socket.subscriptions().sort());
  },
  disconnect: async (socket, request) => {
    const {code, reason} = request.data || {};
    request.end();
    await socket.disconnect(code, reason);
  },
  disconnectFirst: async (socket, request) => {
    await socket.disconnect(4100, 'first');
    await socket.transmit('late', 1);
    request.end();
  },
  terminate: (socket, request) => socket.terminate(),
  state: (socket, request) => request.end({
    state: socket.state,
    authState: socket.authState,
    authToken: socket.authToken || null,
    signed: !!socket.signedAuthToken,
    subscriptions: socket.subscriptions().sort(),
    count: socket.channelSubscriptionsCount,
    url: socket.request.url
  }),
  counts: (socket, request, server) => request.end({
    clients: server.clientsCount,
    pending: server.pendingClientsCount,
    registered: Object.keys(server.clients).length
  }),
  call: async (socket, request) => {
    const {event, data, ackTimeout} = request.data;
    try {
      const options = ackTimeout == null ? undefined : {ackTimeout};
      const answer = await ('data' in request.data ?
        socket.invoke(event, data, options) : socket.invoke(event, undefined, options));
      request.end({answer: orNull(answer)});
    } catch (error) {
      request.end({failure: describe(error)});
    }
  },
  pressure: (socket, request) => request.end({
    inbound: socket.getInboundBackpressure(),
    outbound: socket.getOutboundBackpressure(),
    all: socket.getBackpressure()
  }),
  tellAtOnce: (socket, request) => {
    socket.transmit(request.data.event, request.data.data);
    request.end();
  },
  tell: async (socket, request) => {
    if ('data' in request.data) {
      socket.transmit(request.data.event, request.data.data);
    } else {
      socket.transmit(request.data.event);
    }
    await sleep(1);
    request.end();
  },
  raw: (socket, request) => {
    socket.send(request.data);
    request.end();
  },
  publish: async (socket, request, server) => {
    await server.exchange.invokePublish(request.data.channel, request.data.data);
    request.end();
  },
  burst: async (socket, request, server) => {
    for (let i = 0; i < request.data.count; i++) {
      server.exchange.transmitPublish(request.data.channel, i);
    }
    await sleep(1);
    request.end();
  },
  batch: (socket, request) => {
    socket.startBatch();
    request.end('batched');
    socket.transmit('one', 1);
    setTimeout(() => socket.flushBatch(), 20);
  },
  cancelBatch: (socket, request) => {
    socket.startBatch();
    socket.transmit('one', 1);
    setTimeout(() => {
      socket.cancelBatch();
      request.end('cancelled');
    }, 20);
  },
  startBatching: (socket, request) => {
    socket.startBatching();
    request.end('batching');
  },
  stopBatching: (socket, request) => {
    request.end('stopped');
    socket.stopBatching();
  },
  bytes: (socket, request) => request.end({bytes: Buffer.from([0, 1, 254, 255]), list: [Buffer.from('hi')]})
};

const servers = [];

const COMMANDS = {
  start: ({options, app}, reply) => {
    const httpServer = http.createServer((request, response) => {
      response.writeHead(501);
      response.end('Not Implemented');
    });
    const server = attach(httpServer, options);
    const log = [];
    const gate = new Gate();
    new Application(server, app, log, gate);
    const number = servers.push({server, log, gate}) - 1;
    httpServer.listen(0, '127.0.0.1', () => reply({server: number, port: httpServer.address().port}));
  },
  release: ({server}, reply) => servers[server].gate.release(() => reply({})),
  log: ({server}, reply) => reply({log: servers[server].log}),
  faults: (command, reply) => reply({faults})
};

readline.createInterface({input: process.stdin}).on('line', (line) => {
  const command = JSON.parse(line);
  const reply = (answer) => process.stdout.write(JSON.stringify({id: command.id, ...answer}) + '\n');
  try {
    COMMANDS[command.command](command, reply);
  } catch (error) {
    reply({failure: String(error)});
  }
}).on('close', () => process.exit(0));
