'use strict';

// The scenarios of the stream API: socketcluster-client 16 to 20 over protocol version 2.

const jsonwebtoken = require('jsonwebtoken');
const { Scenario, main } = require('./harness');

const CLIENT_EVENTS = [
  'connecting', 'connect', 'connectAbort', 'disconnect', 'close', 'error', 'authenticate', 'deauthenticate',
  'authStateChange', 'removeAuthToken', 'subscribe', 'subscribeFail', 'unsubscribe', 'subscribeRequest',
  'subscribeStateChange', 'kickOut', 'raw'
];

class ModernScenario extends Scenario {
  createClient(options) {
    return this.library.create(options);
  }

  watch(client, log) {
    for (let name of CLIENT_EVENTS) this.follow(client.listener(name), (data) => log.add(name, data));
  }

  async follow(stream, consume) {
    for await (let data of stream) consume(data);
  }

  endClient(client) {
    client.disconnect();
  }

  // A connected client.
  async connected(server, options) {
    let client = this.client(server, options);
    await this.log(client).wait('connect');
    return client;
  }

  // A client that is logged in by the application's `login` procedure.
  async loggedIn(server, claims, options) {
    let client = await this.connected(server, options);
    await client.invoke('login', claims);
    await this.settle();
    return client;
  }

  // Subscribe and write down everything that arrives.
  collect(client, channelName, options) {
    let messages = [];
    let channel = client.subscribe(channelName, options);
    this.follow(channel, (data) => {
      messages.push(data);
      this.log(client).add('published', { channel: channelName, data });
    });
    return messages;
  }

  invoke(client, ...args) {
    return client.invoke(...args);
  }

  // Serve a procedure on the client.
  answer(client, name, respond) {
    this.follow(client.procedure(name), respond);
  }

  // Subscribe and wait until the server has said yes.
  async subscribed(client, ...channels) {
    let messages = channels.map((channel) => this.collect(client, channel));
    for (let channel of channels) await this.log(client).waitFor('subscribe', (event) => event.channel === channel);
    return messages.length === 1 ? messages[0] : messages;
  }

  // Where a client keeps its token; two clients with the same store are the same browser.
  store(token) {
    let kept = { token: token || null };
    return {
      kept,
      saveToken: async (name, value) => (kept.token = value),
      removeToken: async () => {
        let old = kept.token;
        kept.token = null;
        return old;
      },
      loadToken: async () => kept.token
    };
  }

  sign(data, options, key = this.defaultServerOptions().authKey) {
    return jsonwebtoken.sign(data, key, options);
  }

  // What a failing promise fails with.
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

const TOPICS = ['connecting', 'calls', 'data', 'channels', 'authentication', 'middleware', 'batching', 'pings', 'closing',
  'streams', 'frames', 'load'];
const TIMED = [...Object.keys(require('./modern/pings')), 'serverBatchesOnHandshake', 'serverStopsBatchingAfterAWhile',
  'clientBatchesItsSubscriptions', 'expiryDuringTheConnection'];

// Here the reference has a fault, so that it cannot be the control.
const BEYOND_THE_REFERENCE = ['namesOfObjectMembers', 'abandonedHandshakeIsForgotten', 'secondHandshakeDoesNoHarm'];

main({
  Scenario: ModernScenario,
  scenarios: Object.assign({}, ...TOPICS.map((topic) => require(`./modern/${topic}`))),
  timed: TIMED,
  heavy: Object.keys(require('./modern/load')),
  beyondTheReference: BEYOND_THE_REFERENCE
});
