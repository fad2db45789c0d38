// The server that agtwisted's SCServer is measured against: the same as application14.py, on socketcluster-server 14.
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
  handshakeMiddleware: [server.MIDDLEWARE_HANDSHAKE_WS, server.MIDDLEWARE_HANDSHAKE_SC],
  inboundMiddleware: [server.MIDDLEWARE_EMIT, server.MIDDLEWARE_SUBSCRIBE, server.MIDDLEWARE_PUBLISH_IN],
  outboundMiddleware: [server.MIDDLEWARE_PUBLISH_OUT],
};

if (!(variant in lines) && !['plain', 'messageListener', 'deflate'].includes(variant)) {
  throw new Error(`There is no variant ${variant}`);
}
for (const line of lines[variant] || []) server.addMiddleware(line, (request, next) => next());

server.on('connection', (socket) => {
  socket.on('echo', (data, respond) => respond(null, data));
  if (variant === 'messageListener') socket.on('message', () => {});
});
server.on('error', (error) => console.error(error));
httpServer.listen({backlog: 4096, ...JSON.parse(listen)});
