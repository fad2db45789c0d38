/**
 * A small client for protocol v2 (the one SocketCluster 15 to 20 speaks), for pages that want no build step.
 *
 * The whole protocol fits in a few lines. Text frames carry JSON. `{event, data, cid}` asks and wants an answer,
 * `{event, data}` only tells, `{rid, data}` or `{rid, error}` answers the packet whose `cid` was `rid`. Event names
 * that begin with `#` belong to the protocol. An empty frame is a ping and is answered by an empty frame.
 */

/** How long to wait before trying again: the first pause, the growth and the longest pause, in milliseconds. */
const BACK_OFF = {first: 500, factor: 1.7, longest: 15000};
const CONNECT_TIMEOUT = 20000;

/** What a server sends in an answer's `error` becomes one of these; `name` says which kind it is. */
export class CallError extends Error {
  /**
   * @param {string} name
   * @param {string} message
   * @param {object} [details] further fields that the server sent
   */
  constructor(name, message, details = {}) {
    super(message);
    this.name = name;
    this.details = details;
  }

  /** @param {*} raw the `error` member of an answer */
  static fromWire(raw) {
    if (raw === null || typeof raw !== 'object') {
      return new CallError('Error', String(raw));
    }
    const {name, message, ...details} = raw;
    return new CallError(String(name ?? 'Error'), String(message ?? ''), details);
  }
}

/** Keeps the signed token for this tab: it outlives a reload, and goes when the tab is closed. */
export class SessionTokenStore {
  /** @param {string} key the name in sessionStorage */
  constructor(key) {
    this.key = key;
    this.fallback = null;
  }

  load() {
    try {
      return sessionStorage.getItem(this.key) ?? this.fallback;
    } catch {
      return this.fallback; // Storage may be forbidden; then the token lives as long as the page.
    }
  }

  /** @param {?string} token the token to keep; null forgets it */
  save(token) {
    this.fallback = token;
    try {
      if (token === null) {
        sessionStorage.removeItem(this.key);
      } else {
        sessionStorage.setItem(this.key, token);
      }
    } catch {
      // As above: the copy in memory has to do.
    }
  }
}

/**
 * Reads what a token says, without checking it: only the server can do that.
 *
 * @param {?string} signedToken
 * @return {?object} the claims, or null if there are none to read
 */
export function readToken(signedToken) {
  try {
    const body = signedToken.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
    const bytes = Uint8Array.from(atob(body), (character) => character.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/**
 * The address of a server's WebSocket on the host that this page came from.
 *
 * @param {string} path for example `/socketcluster/`
 * @return {string}
 */
export function socketURL(path, base = location) {
  const url = new URL(base.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.pathname = path.startsWith('/') ? path : `/${path}`;
  url.search = '';
  url.hash = '';
  return url.href;
}

/**
 * One lasting connection: it connects again with growing pauses, and subscribes again to what it was subscribed to.
 *
 * Events (each a CustomEvent, its facts in `detail`):
 * - `state` {state, retryIn}: `closed`, `connecting`, `open` or `waiting` (for the next attempt)
 * - `open` {id, pingTimeout, isAuthenticated, authError}
 * - `close` {code, reason, wasOpen}
 * - `authentication` {isAuthenticated, authToken}
 * - `publication` {channel, data}, `transmission` {event, data}
 * - `subscription` {channel, state, error}: `pending`, `subscribed` or `unsubscribed`
 * - `kickOut` {channel, message}
 * - `ping` {}
 */
export class Client extends EventTarget {
  /** The protocol's own events that a client receives, each with its effect. */
  static #reserved = {
    '#publish': (client, data) => client.#publicationReceived(data),
    '#kickOut': (client, data) => client.#kickOutReceived(data),
    '#setAuthToken': (client, data) => client.#setToken(data.token),
    '#removeAuthToken': (client) => client.#setToken(null),
  };

  /**
   * @param {object} options
   * @param {string} options.url where the server listens, `ws:` or `wss:`
   * @param {{load: function(): ?string, save: function(?string)}} [options.tokenStore]
   * @param {number} [options.ackTimeout] how long a call waits for its answer, in milliseconds
   */
  constructor({url, tokenStore = new SessionTokenStore('agtwisted.authToken'), ackTimeout = 10000}) {
    super();
    this.url = url;
    this.ackTimeout = ackTimeout;
    this.tokenStore = tokenStore;
    this.state = 'closed';
    this.id = null;
    this.isAuthenticated = false;
    /** @type {Map<string, string>} channel name → `pending` or `subscribed` */
    this.channels = new Map();
    this.attempts = 0;
    this.lastCallId = 0;
    this.calls = new Map();
    this.webSocket = null;
    this.pingTimeout = null;
    this.timers = {};
  }

  /** What the token says, when the server has accepted it; otherwise null. */
  get authToken() {
    return this.isAuthenticated ? readToken(this.tokenStore.load()) : null;
  }

  /** Connects now; does nothing if there is a connection already. */
  connect() {
    if (this.webSocket) {
      return;
    }
    this.#clearTimers();
    this.#setState('connecting');
    const webSocket = new WebSocket(this.url);
    this.webSocket = webSocket;
    webSocket.onopen = () => this.#handshake();
    webSocket.onmessage = (message) => this.#received(message.data);
    webSocket.onclose = (closing) => this.#lost(closing.code, closing.reason);
    this.timers.connect = setTimeout(() => this.#abandon(4007, 'The connection took too long'), CONNECT_TIMEOUT);
  }

  /** Closes the connection and stays closed. */
  disconnect(code = 1000, reason = '') {
    if (this.webSocket) {
      this.#abandon(code, reason);
    }
    this.#clearTimers();
    this.attempts = 0;
    this.#setState('closed');
  }

  /** Ends a pause between two attempts. */
  retryNow() {
    if (this.state === 'waiting') {
      this.connect();
    }
  }

  /**
   * Calls a procedure.
   *
   * @param {string} procedure
   * @param {*} [data] undefined sends none
   * @return {Promise<*>} the answer; a CallError if the server says so, or none comes in time, or the connection goes
   */
  invoke(procedure, data, {timeout = this.ackTimeout} = {}) {
    if (this.state !== 'open') {
      return Promise.reject(new CallError('BadConnectionError', 'There is no connection to the server'));
    }
    return this.#call(procedure, data, timeout);
  }

  /** Sends an event that is not answered. */
  transmit(event, data) {
    if (this.state !== 'open') {
      throw new CallError('BadConnectionError', 'There is no connection to the server');
    }
    this.#send({event, data});
  }

  /** Publishes to a channel; the promise is kept when the server has taken it. */
  publish(channel, data) {
    return this.invoke('#publish', {channel, data});
  }

  /**
   * Subscribes, now or as soon as there is a connection, and again after each reconnection.
   *
   * @return {Promise<void>} fails if the server refuses
   */
  async subscribe(channel) {
    if (!this.channels.has(channel)) {
      this.#setChannel(channel, 'pending');
      if (this.state === 'open') {
        await this.#subscribeNow(channel);
      }
    }
  }

  /** Unsubscribes; publications that still arrive meanwhile are dropped. */
  async unsubscribe(channel) {
    if (this.channels.has(channel)) {
      this.#setChannel(channel, 'unsubscribed');
      if (this.state === 'open') {
        await this.invoke('#unsubscribe', channel);
      }
    }
  }

  /** Forgets the token, here and on the server. */
  deauthenticate() {
    if (this.state === 'open') {
      this.#send({event: '#removeAuthToken'});
    }
    this.#setToken(null);
  }

  #emit(name, detail = {}) {
    this.dispatchEvent(new CustomEvent(name, {detail}));
  }

  #setState(state, detail = {}) {
    if (state !== this.state) {
      this.state = state;
      this.#emit('state', {state, ...detail});
    }
  }

  #setChannel(channel, state, error) {
    if (state === 'unsubscribed') {
      this.channels.delete(channel);
    } else {
      this.channels.set(channel, state);
    }
    this.#emit('subscription', {channel, state, error});
  }

  #setToken(signedToken) {
    this.tokenStore.save(signedToken);
    this.#setAuthenticated(signedToken !== null);
  }

  #setAuthenticated(isAuthenticated) {
    this.isAuthenticated = isAuthenticated;
    this.#emit('authentication', {isAuthenticated, authToken: this.authToken});
  }

  #send(packet) {
    this.webSocket.send(JSON.stringify(packet));
  }

  #call(event, data, timeout) {
    return new Promise((resolve, reject) => {
      const cid = ++this.lastCallId;
      const timer = setTimeout(() => {
        this.calls.delete(cid);
        reject(new CallError('TimeoutError', `No answer to ${event} came within ${timeout / 1000} s`));
      }, timeout);
      this.calls.set(cid, {resolve, reject, timer});
      this.#send({event, data, cid});
    });
  }

  async #handshake() {
    try {
      const status = await this.#call('#handshake', {authToken: this.tokenStore.load()}, this.ackTimeout);
      this.#opened(status);
    } catch (error) {
      if (error.name !== 'BadConnectionError') {
        this.#abandon(4003, 'The handshake failed');
      }
    }
  }

  #opened({id, pingTimeout, isAuthenticated, authError}) {
    this.#clearTimers();
    this.attempts = 0;
    this.id = id;
    this.pingTimeout = pingTimeout;
    this.#expectPing();
    const channels = [...this.channels.keys()];
    this.#setState('open');
    this.#emit('open', {id, pingTimeout, isAuthenticated, authError});
    this.#setAuthenticated(isAuthenticated);
    for (const channel of channels) {
      // A refusal is told by the `subscription` event; here there is nobody to tell.
      this.#subscribeNow(channel).catch(() => undefined);
    }
  }

  async #subscribeNow(channel) {
    try {
      await this.invoke('#subscribe', {channel});
    } catch (error) {
      if (error.name !== 'BadConnectionError' && this.channels.has(channel)) {
        this.#setChannel(channel, 'unsubscribed', error);
      }
      throw error;
    }
    if (this.channels.has(channel)) {
      this.#setChannel(channel, 'subscribed');
    }
  }

  #received(text) {
    this.#expectPing();
    if (text === '') {
      this.webSocket.send('');
      this.#emit('ping');
      return;
    }
    let decoded;
    try {
      decoded = JSON.parse(text);
    } catch {
      return; // Raw messages are legal and mean nothing to this client.
    }
    for (const packet of Array.isArray(decoded) ? decoded : [decoded]) {
      this.#packetReceived(packet);
    }
  }

  #packetReceived(packet) {
    if (packet === null || typeof packet !== 'object') {
      return;
    }
    if (packet.rid !== undefined) {
      this.#answered(packet);
    } else if (Object.hasOwn(Client.#reserved, packet.event)) {
      Client.#reserved[packet.event](this, packet.data ?? {});
      if (packet.cid !== undefined) {
        this.#send({rid: packet.cid});
      }
    } else if (packet.cid !== undefined) {
      const error = {name: 'InvalidActionError', message: `This page has no procedure ${packet.event}`};
      this.#send({rid: packet.cid, error});
    } else if (packet.event !== undefined) {
      this.#emit('transmission', {event: packet.event, data: packet.data});
    }
  }

  #answered({rid, data, error}) {
    const call = this.calls.get(rid);
    if (!call) {
      return; // It came after its time-out.
    }
    this.calls.delete(rid);
    clearTimeout(call.timer);
    if (error) {
      call.reject(CallError.fromWire(error));
    } else {
      call.resolve(data);
    }
  }

  #publicationReceived({channel, data}) {
    if (this.channels.has(channel)) {
      this.#emit('publication', {channel, data});
    }
  }

  #kickOutReceived({channel, message}) {
    if (this.channels.has(channel)) {
      this.#setChannel(channel, 'unsubscribed');
      this.#emit('kickOut', {channel, message});
    }
  }

  /** The server pings; when it falls silent for longer than it promised, the connection is dead. */
  #expectPing() {
    clearTimeout(this.timers.ping);
    if (this.pingTimeout) {
      this.timers.ping = setTimeout(() => this.#abandon(4000, 'The server fell silent'), this.pingTimeout);
    }
  }

  /** Closes from our side, without waiting for a peer that may no longer be there. */
  #abandon(code, reason) {
    const webSocket = this.webSocket;
    webSocket.onopen = webSocket.onmessage = webSocket.onclose = null;
    webSocket.close(code, reason);
    this.#lost(code, reason);
  }

  #lost(code, reason) {
    const wasOpen = this.state === 'open';
    this.webSocket = null;
    this.id = null;
    this.pingTimeout = null;
    this.#clearTimers();
    const pause = this.#nextPause(code);
    this.#setState(pause === null ? 'closed' : 'waiting', {retryIn: pause});
    this.#failCalls(code, reason);
    for (const channel of this.channels.keys()) {
      this.#setChannel(channel, 'pending');
    }
    this.#emit('close', {code, reason, wasOpen});
    if (pause !== null && this.state === 'waiting') {
      this.timers.retry = setTimeout(() => this.connect(), pause);
    }
  }

  /** A pause in milliseconds, or null: 1000 is a normal end, and a server says 4500 or more to keep a client away. */
  #nextPause(code) {
    if (code === 1000 || code >= 4500) {
      return null;
    }
    const longest = Math.min(BACK_OFF.longest, BACK_OFF.first * BACK_OFF.factor ** this.attempts);
    this.attempts += 1;
    // The random part keeps many pages from coming back in the same instant.
    return Math.round(longest * (0.75 + 0.5 * Math.random()));
  }

  #failCalls(code, reason) {
    const calls = [...this.calls.values()];
    this.calls.clear();
    for (const call of calls) {
      clearTimeout(call.timer);
      call.reject(new CallError('BadConnectionError', reason || 'The connection was lost', {code}));
    }
  }

  #clearTimers() {
    Object.values(this.timers).forEach(clearTimeout);
    this.timers = {};
  }
}
