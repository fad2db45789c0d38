/**
 * The console's client against a server that is played by the test, frame by frame: what a real server does seldom, or
 * only when something is wrong.
 */

import assert from 'node:assert/strict';
import {EventEmitter, once} from 'node:events';
import {run, shows} from './harness.mjs';

const TOKEN = `x.${Buffer.from('{"username":"Zoë"}').toString('base64url')}.y`;

/** The server's end of one page's connections. */
class PlayedServer extends EventEmitter {
  constructor(status = {}) {
    super();
    this.status = {id: 'played', pingTimeout: 60000, isAuthenticated: false, ...status};
    this.packets = [];
    this.connections = 0;
  }

  /** Opens a page that is connected to this server. */
  async open(session) {
    const serve = (webSocket) => this.#serve(webSocket);
    return session.open({prepare: (page) => page.routeWebSocket('**/socketcluster/', serve)});
  }

  #serve(webSocket) {
    this.connections += 1;
    this.webSocket = webSocket;
    webSocket.onMessage((text) => {
      const packet = text === '' ? '' : JSON.parse(text);
      this.packets.push(packet);
      if (packet.event === '#handshake') {
        this.send({rid: packet.cid, data: this.status});
      } else if (packet.event === '#subscribe') {
        this.send({rid: packet.cid});
      }
      this.emit('packet', packet);
    });
  }

  send(packet) {
    this.webSocket.send(packet === '' ? '' : JSON.stringify(packet));
  }

  /** The first packet, past or to come, that fits. */
  async received(fits) {
    for (;;) {
      const found = this.packets.find(fits);
      if (found !== undefined) {
        return found;
      }
      await once(this, 'packet', {signal: AbortSignal.timeout(10000)});
    }
  }
}

let server;
let page;

await run({
  async 'the handshake comes first and brings no token; a ping is answered by a pong'(session) {
    server = new PlayedServer();
    page = await server.open(session);
    await shows(page, '#stateText', 'Connected');
    assert.deepEqual(server.packets[0], {event: '#handshake', data: {authToken: null}, cid: 1});
    await server.received((packet) => packet.event === '#subscribe');
    server.send('');
    await server.received((packet) => packet === '');
  },

  async 'a batch is taken apart, and what is no packet does no harm'() {
    const publication = (data) => ({event: '#publish', data: {channel: 'lobby', data}});
    server.webSocket.send('no JSON at all');
    for (const odd of [null, 5, 'text', [], [null, 7], {}, {rid: 999}, {event: '__proto__'}, {event: '#publish'}]) {
      server.send(odd);
    }
    server.send([publication('first'), publication({from: 5, message: 'second'})]);
    await shows(page, '.row', 'first');
    await shows(page, '.row', '{"from":5,"message":"second"}');
    await shows(page, '#stateText', 'Connected');
  },

  async 'a publication of a channel that was never asked for is dropped'() {
    server.send({event: '#publish', data: {channel: 'other', data: 'unasked'}});
    server.send({event: '#publish', data: {channel: 'lobby', data: 'asked'}});
    await shows(page, '.row', 'asked');
    assert.equal(await page.locator('.row', {hasText: 'unasked'}).count(), 0);
  },

  async 'a token is taken, confirmed, shown, sent with the next handshake, and forgotten when told so'() {
    server.send({event: '#setAuthToken', data: {token: TOKEN}, cid: 7});
    await server.received((packet) => packet.rid === 7);
    await shows(page, '#factAuth', 'authenticated');
    await shows(page, '#tokenBody', '"username": "Zoë"');
    server.status.isAuthenticated = true;
    await page.reload();
    await shows(page, '#tokenBody', '"username": "Zoë"');
    assert.equal(server.packets.findLast((packet) => packet.event === '#handshake').data.authToken, TOKEN);
    server.send({event: '#removeAuthToken', cid: 8});
    await server.received((packet) => packet.rid === 8);
    await shows(page, '#factAuth', 'not authenticated');
    assert.equal(await page.locator('#token').isVisible(), false);
  },

  async 'a call of the server is declined, an event of the server is shown'() {
    server.send({event: 'askThePage', data: 1, cid: 9});
    const answer = await server.received((packet) => packet.rid === 9);
    assert.equal(answer.error.name, 'InvalidActionError');
    server.send({event: 'weather', data: {sky: 'blue'}});
    await shows(page, '.row', '{"sky":"blue"}');
  },

  async 'an error is shown with its name and its details'() {
    await page.getByRole('button', {name: 'Call', exact: true}).click();
    const {cid, data} = await server.received((packet) => packet.event === 'hello');
    assert.equal(data.name, await page.locator('#me').innerText());
    server.send({rid: cid, error: {name: 'TeapotError', message: 'I am a teapot', spout: 'short'}});
    await shows(page, '#answerTitle', 'TeapotError');
    await shows(page, '#answerBody', 'I am a teapot');
    await shows(page, '#answerBody', '{"spout":"short"}');
  },

  async 'being kicked out ends the subscription and is told with its reason'() {
    server.send({event: '#kickOut', data: {channel: 'lobby', message: 'the party is over'}});
    await shows(page, '.row', 'Kicked out of lobby: the party is over');
    assert.equal(await page.locator('.chip').count(), 0);
  },

  async 'a refused subscription is told and gives no chip'() {
    await page.locator('#subscribeChannel').fill('secret');
    server.send = (packet) => {
      const refused = {rid: packet.rid, error: {name: 'NotAllowedError', message: 'members only'}};
      PlayedServer.prototype.send.call(server, refused);
    };
    await page.getByRole('button', {name: 'Subscribe', exact: true}).click();
    await shows(page, '#subscribeNote', 'Not subscribed to secret: NotAllowedError: members only');
    delete server.send;
    assert.equal(await page.locator('.chip').count(), 0);
  },

  async 'a server that falls silent is given up, and tried again'() {
    server.status.pingTimeout = 300;
    await page.reload();
    await shows(page, '.row', 'Connection closed (4000, The server fell silent)');
    const before = server.connections;
    server.status.pingTimeout = 60000;
    await shows(page, '#stateText', 'Connected');
    assert.ok(server.connections >= before);
    await page.locator('.chip[data-channel=lobby][data-state=subscribed]').waitFor();
  },

  async 'a server that sends a client away for good is obeyed'() {
    await server.webSocket.close({code: 4500, reason: 'banned'});
    await shows(page, '#stateText', 'Not connected');
    await shows(page, '.row', 'Connection closed (4500, banned).');
  },
});
