'use strict';

// The scenarios of the callback API: socketcluster-client 14 over protocol version 1.

const jsonwebtoken = require('jsonwebtoken');
const { Scenario, main } = require('./harness');

// The events of the client and the names of their arguments.
const CLIENT_EVENTS = {
  connecting: [],
  connect: ['status'],
  connectAbort: ['code', 'reason'],
  disconnect: ['code', 'reason'],
  close: ['code', 'reason'],
  error: ['error'],
  authenticate: ['signedAuthToken'],
  deauthenticate: ['oldSignedToken'],
  authStateChange: ['change'],
  removeAuthToken: ['oldToken'],
  subscribe: ['channel', 'options'],
  subscribeFail: ['error', 'channel'],
  unsubscribe: ['channel'],
  kickOut: ['message', 'channel'],
  raw: ['message'],
  message: ['message']
};

class LegacyScenario extends Scenario {
  defaultServerOptions() {
    return { ...super.defaultServerOptions(), protocolVersion: 1 };
  }

  createClient(options) {
    return this.library.create({ multiplex: false, ...options });
  }

  watch(client, log) {
    for (let [name, fields] of Object.entries(CLIENT_EVENTS)) {
      client.on(name, (...values) => log.add(name, Object.fromEntries(fields.map((field, index) => [field, values[index]]))));
    }
  }

  endClient(client) {
    client.destroy();
  }

  async connected(server, options) {
    let client = this.client(server, options);
    await this.log(client).wait('connect');
    return client;
  }

  async loggedIn(server, claims, options) {
    let client = await this.connected(server, options);
    let authenticated = this.log(client).wait('authenticate');
    await this.invoke(client, 'login', claims);
    await authenticated;
    return client;
  }

  // A callback as a promise.
  invoke(client, event, data) {
    return new Promise((resolve, reject) => client.emit(event, data, (error, result) => (error ? reject(error) : resolve(result))));
  }

  publish(client, channel, data) {
    return new Promise((resolve, reject) => client.publish(channel, data, (error) => (error ? reject(error) : resolve())));
  }

  authenticate(client, token) {
    return new Promise((resolve) => client.authenticate(token, (error, status) => resolve({ error, status })));
  }

  collect(client, channelName, options) {
    let messages = [];
    client.subscribe(channelName, options).watch((data) => {
      messages.push(data);
      this.log(client).add('published', { channel: channelName, data });
    });
    return messages;
  }

  async subscribed(client, ...channels) {
    let messages = channels.map((channel) => this.collect(client, channel));
    for (let channel of channels) await this.log(client).waitFor('subscribe', (event) => event.channel === channel);
    return messages.length === 1 ? messages[0] : messages;
  }

  store(token) {
    let kept = { token: token || null };
    return {
      kept,
      saveToken: (name, value, options, callback) => {
        kept.token = value;
        callback(null, value);
      },
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

  async failure(promise) {
    let value;
    try {
      value = await promise;
    } catch (error) {
      return error;
    }
    throw new Error(`expected a failure, got ${JSON.stringify(value)}`);
  }
}

const TOPICS = ['connecting', 'calls', 'channels', 'authentication', 'middleware'];

main({
  Scenario: LegacyScenario,
  scenarios: Object.assign({}, ...TOPICS.map((topic) => require(`./legacy/${topic}`))),
  timed: ['pingsAreNumberSigns', 'silentClientIsClosed', 'silentServerIsClosed'],
  heavy: ['aHundredClientsInOneBurst', 'fiveHundredClients'],
  beyondTheReference: []
});
