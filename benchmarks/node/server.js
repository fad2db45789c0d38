// The server that agtwisted is measured against: the same as application.py, on socketcluster-server.
//
//   node server.js VARIANT LISTEN [KEY CERTIFICATE]      LISTEN is what server.listen() takes, as JSON

const {readFileSync} = require('fs');
const {attach} = require('socketcluster-server');

const [variant, listen, key, certificate] = process.argv.slice(2);
const httpServer = key
  ? require('https').createServer({key: readFileSync(key), cert: readFileSync(certificate)})
  : require('http').createServer();
const server = attach(httpServer, {perMessageDeflate: variant === 'deflate'});

const lines = {
  handshakeMiddleware: server.MIDDLEWARE_HANDSHAKE,
  rawMiddleware: server.MIDDLEWARE_INBOUND_RAW,
  inboundMiddleware: server.MIDDLEWARE_INBOUND,
  outboundMiddleware: server.MIDDLEWARE_OUTBOUND,
};

async function allow(stream) {
  for await (const action of stream) action.allow();
}

async function echo(socket) {
  for await (const request of socket.procedure('echo')) request.end(request.data);
}

async function hearMessages(socket) {
  for await (const _ of socket.listener('message'));
}

async function serveConnections() {
  for await (const {socket} of server.listener('connection')) {
    echo(socket);
    if (variant === 'messageListener') hearMessages(socket);
  }
}

async function logErrors() {
  for await (const {error} of server.listener('error')) console.error(error);
}

if (variant in lines) server.setMiddleware(lines[variant], allow);
else if (!['plain', 'messageListener', 'deflate'].includes(variant)) throw new Error(`There is no variant ${variant}`);
serveConnections();
logErrors();
httpServer.listen({backlog: 4096, ...JSON.parse(listen)});
