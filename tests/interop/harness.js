'use strict';

// What every scenario uses: a server to talk to, official clients, and logs of events that a scenario can wait on.

const readline = require('node:readline');

const SCENARIO_TIMEOUT = 40000;
const QUIET = 120;

// The events of one server or client in the order in which they were seen.
class Log {
  constructor(label) {
    this.label = label;
    this.entries = [];
    this.waiters = new Set();
  }

  add(name, data) {
    this.entries.push({ name, data });
    for (let waiter of [...this.waiters]) waiter.check();
  }

  all(name) {
    return this.entries.filter((entry) => entry.name === name).map((entry) => entry.data);
  }

  names(...only) {
    let names = this.entries.map((entry) => entry.name);
    return only.length ? names.filter((name) => only.includes(name)) : names;
  }

  // Wait until `count` events of this name are there; gives the last of them.
  wait(name, count = 1) {
    return this.until(`${count} × ${name}`, () => this.all(name).length >= count).then(() => this.all(name)[count - 1]);
  }

  // Wait for the first event of this name whose data fits; gives that data.
  waitFor(name, fits) {
    let find = () => this.all(name).find(fits);
    return this.until(`${name} that fits`, () => find() !== undefined).then(find);
  }

  until(description, condition) {
    return new Promise((resolve) => {
      let waiter = {
        description,
        check: () => {
          if (!condition()) return;
          this.waiters.delete(waiter);
          resolve();
        }
      };
      this.waiters.add(waiter);
      waiter.check();
    });
  }

  pending() {
    if (!this.waiters.size) return '';
    let wanted = [...this.waiters].map((waiter) => waiter.description).join(', ');
    let seen = JSON.stringify(this.entries.slice(-12), errorsToo).slice(0, 1500);
    return `\n${this.label} waits for ${wanted}; seen last: ${seen}`;
  }
}

function errorsToo(key, value) {
  return value instanceof Error ? { ...value, name: value.name, message: value.message } : value;
}

// The server of one scenario, wherever it runs.
class Server {
  constructor(host, plan) {
    this.host = host;
    this.plan = plan;
    this.log = new Log('server');
    this.running = false;
  }

  async start(port = 0) {
    let plan = { ...this.plan, port };
    Object.assign(this, await this.host.start(plan, (name, data) => this.log.add(name, data)));
    this.running = true;
  }

  call(name, args) {
    return this.host.call(this.key, name, args || {});
  }

  // Wait until everything has been reported that the server has seen so far.
  async settle() {
    await this.call('counts');
  }

  async stop() {
    if (!this.running) return;
    this.running = false;
    await this.host.stop(this.key);
  }

  wait(...args) {
    return this.log.wait(...args);
  }

  waitFor(...args) {
    return this.log.waitFor(...args);
  }
}

// Servers that live in the parent process; one JSON object a line goes through stdin and stdout.
class ParentHost {
  constructor() {
    this.nextId = 1;
    this.calls = new Map();
    this.reports = new Map();
    this.early = new Map();
    readline.createInterface({ input: process.stdin }).on('line', (line) => this.lineReceived(JSON.parse(line)));
  }

  lineReceived({ id, value, error, key, name, data }) {
    if (key !== undefined) return this.reportReceived(key, name, data);
    let { resolve, reject } = this.calls.get(id);
    this.calls.delete(id);
    if (error === undefined) resolve(value);
    else reject(new Error(`server application: ${error}`));
  }

  reportReceived(key, name, data) {
    let onReport = this.reports.get(key);
    if (onReport) onReport(name, data);
    else this.early.set(key, [...(this.early.get(key) || []), [name, data]]);
  }

  ask(request) {
    let id = this.nextId++;
    let answer = new Promise((resolve, reject) => this.calls.set(id, { resolve, reject }));
    process.stdout.write(JSON.stringify({ ask: { id, ...request } }) + '\n');
    return answer;
  }

  async start(plan, onReport) {
    let started = await this.ask({ op: 'start', plan });
    this.reports.set(started.key, onReport);
    for (let [name, data] of this.early.get(started.key) || []) onReport(name, data);
    return started;
  }

  call(key, name, args) {
    return this.ask({ op: 'call', key, name, args });
  }

  stop(key) {
    return this.ask({ op: 'stop', key });
  }

  end() {
    process.stdin.destroy();
  }
}

// Options for a server at a Unix socket, or with a certificate that it has signed itself.
function howToReach(server) {
  let options = { hostname: '127.0.0.1', port: server.port };
  if (server.socketPath) return { ...options, socketPath: server.socketPath, protocolScheme: 'ws+unix' };
  return server.secure ? { ...options, secure: true, wsOptions: { rejectUnauthorized: false }, rejectUnauthorized: false } : options;
}

// What one scenario gets: `t.serve`, `t.client` and what a family of clients adds.
class Scenario {
  constructor(host, client, version) {
    this.host = host;
    this.library = client;
    this.version = version;
    this.servers = [];
    this.clients = [];
    this.logs = new Map();
  }

  async serve(plan = {}) {
    let server = new Server(this.host, { ...plan, options: { ...this.defaultServerOptions(), ...plan.options } });
    this.servers.push(server);
    await server.start();
    return server;
  }

  defaultServerOptions() {
    return { authKey: 'a key for the scenarios, long enough' };
  }

  client(server, options = {}) {
    let client = this.createClient({ autoReconnect: false, ...howToReach(server), ...options });
    let log = new Log(`client ${this.clients.length}`);
    this.logs.set(client, log);
    this.clients.push(client);
    this.watch(client, log);
    return client;
  }

  log(client) {
    return this.logs.get(client);
  }

  // A moment in which something that must not happen would have happened.
  quiet(milliseconds = QUIET) {
    return new Promise((resolve) => setTimeout(resolve, milliseconds));
  }

  // Let everything happen that is already under way inside this process, as listeners are woken a little later.
  async settle() {
    for (let round = 0; round < 3; round++) await new Promise(setImmediate);
  }

  // Let everything happen that the server and its client have done so far: what came before an answer is consumed after it.
  async passed(client) {
    await this.invoke(client, 'nothing');
    await this.settle();
  }

  pending() {
    return [...this.servers.map((server) => server.log), ...this.logs.values()].map((log) => log.pending()).join('');
  }

  async cleanUp() {
    for (let client of this.clients) this.endClient(client);
    for (let server of this.servers) await server.stop();
  }
}

function limit(promise, milliseconds, explain) {
  let timer;
  let timeout = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(explain())), milliseconds);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}

async function runOne(name, play, makeScenario) {
  let scenario = makeScenario();
  let result = { name, ok: true };
  let started = Date.now();
  try {
    await limit(play(scenario), SCENARIO_TIMEOUT, () => `timed out after ${SCENARIO_TIMEOUT} ms${scenario.pending()}`);
  } catch (error) {
    result = { name, ok: false, error: error.stack || String(error) };
  }
  try {
    await limit(scenario.cleanUp(), SCENARIO_TIMEOUT, () => 'clean-up timed out');
  } catch (error) {
    if (result.ok) result = { name, ok: false, error: `clean-up: ${error.stack || error}` };
  }
  result.milliseconds = Date.now() - started;
  process.stdout.write(JSON.stringify(result) + '\n');
  return result.ok;
}

// Several scenarios at a time. Those that measure time come first, while there is nothing else to do; those that need very
// many connections run one by one at the end.
async function runAll(scenarios, { timed, heavy }, makeScenario, concurrency) {
  let good = true;
  let run = async (name) => (good = await runOne(name, scenarios[name], makeScenario) && good);
  let names = Object.keys(scenarios);
  await Promise.all(names.filter((name) => timed.includes(name)).map(run));
  let others = names.filter((name) => !timed.includes(name) && !heavy.includes(name));
  let worker = async () => {
    while (others.length) await run(others.shift());
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  for (let name of names.filter((each) => heavy.includes(each))) await run(name);
  return good;
}

function parseArguments(args) {
  let parsed = { server: 'parent', concurrency: '8', scenarios: [] };
  for (let i = 0; i < args.length; i++) {
    if (args[i].startsWith('--')) parsed[args[i].slice(2)] = args[++i];
    else parsed.scenarios.push(args[i]);
  }
  return parsed;
}

// Calls that nobody waits for any more fail when their client is cleaned up; anything else is a fault of a scenario.
function tolerateAbandonedCalls() {
  process.on('unhandledRejection', (error) => {
    if (error.name !== 'BadConnectionError') throw error;
  });
}

// The whole of a runner: `node modern.js --client 19 --server node|parent [--concurrency 8] [scenario …]`.
async function main(family) {
  tolerateAbandonedCalls();
  let { client, server, concurrency, scenarios: wanted } = parseArguments(process.argv.slice(2));
  if (process.argv.includes('--list')) return process.stdout.write(JSON.stringify(Object.keys(family.scenarios)));
  let host = server === 'node' ? new (family.NodeHost || require('./application').NodeHost)() : new ParentHost();
  let library = require(`sc${client}`);
  let names = wanted.length ? wanted : Object.keys(family.scenarios);
  if (server === 'node') names = names.filter((name) => !family.beyondTheReference.includes(name));
  let scenarios = Object.fromEntries(names.map((name) => [name, family.scenarios[name]]));
  let makeScenario = () => new family.Scenario(host, library, Number(client));
  let good = await runAll(scenarios, family, makeScenario, Number(concurrency));
  process.exit(good ? 0 : 1);
}

module.exports = { Log, Scenario, howToReach, main };
