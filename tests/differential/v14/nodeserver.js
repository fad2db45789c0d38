// The Node side of the differential tests of version 14: many small servers in one process, started and asked about over
// stdin and stdout, one line of JSON each way. pythonserver.py is its twin.
'use strict';

const http = require('http');
const path = require('path');
const readline = require('readline');
const {attach} = require(require.resolve('sc14server', {paths: [path.join(__dirname, '..')]}));

const {Gate} = require('../gate');
const {Application} = require('./application');

const faults = [];
process.on('uncaughtException', (error) => faults.push(String(error)));

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
