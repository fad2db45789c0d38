/** The console page: everything that a server offers to a client, to be tried by hand. */

import {Client, SessionTokenStore, socketURL} from './client.js';
import {Log, element, inWords} from './log.js';
import {colourOf, nameOfThisTab} from './names.js';

const DEFAULT_PATH = '/socketcluster/';
const FIRST_CHANNEL = 'lobby';

const byId = (id) => document.getElementById(id);
const me = nameOfThisTab();
const log = new Log(byId('log'), byId('logCount'));
const counts = new Map();
let client;
let countdownTimer;

/** What the user typed is not usable; the message says why, and is shown beside the field. */
class InputError extends Error {}

/**
 * Reads a field as text or as JSON, whichever its switch says.
 *
 * @param {string} text
 * @param {string} format `text` or `json`
 * @return {*} undefined for an empty field: no data
 */
function readData(text, format) {
  if (text.trim() === '') {
    return undefined;
  }
  if (format === 'text') {
    return text;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InputError(`This is not valid JSON: ${error.message}. To send it as it is, choose Text.`);
  }
}

function formatOf(name) {
  return document.querySelector(`input[name=${name}]:checked`).value;
}

/** Shows a sentence below a field, and marks the field when it is to blame. */
function tell(note, text, {kind = 'plain', field = null} = {}) {
  note.textContent = text;
  note.dataset.kind = kind;
  for (const other of document.querySelectorAll(`[aria-describedby=${note.id}]`)) {
    other.setAttribute('aria-invalid', String(other === field));
  }
  field?.focus();
}

function inMilliseconds(since) {
  const spent = performance.now() - since;
  return `${spent < 10 ? spent.toFixed(1) : Math.round(spent)} ms`;
}

/* ---- connection ---- */

const STATE_WORDS = {
  closed: 'Not connected',
  connecting: 'Connecting…',
  open: 'Connected',
  waiting: 'Server not reached',
};
const NONE = '–';
const TOGGLE_WORDS = {closed: 'Connect', connecting: 'Stop', open: 'Disconnect', waiting: 'Try now'};

function showState({state, retryIn}) {
  byId('status').dataset.state = state;
  const wasOpen = byId('factId').textContent !== NONE;
  byId('stateText').textContent = state === 'waiting' && wasOpen ? 'Connection lost' : STATE_WORDS[state];
  byId('toggle').textContent = TOGGLE_WORDS[state];
  byId('factState').textContent = state === 'waiting' ? 'closed, will reconnect' : state;
  if (state !== 'open') {
    for (const id of ['factId', 'factPing', 'factAuth']) {
      byId(id).textContent = NONE;
    }
  }
  showCountdown(state === 'waiting' ? retryIn : null);
}

/** Counts down to the next attempt. @param {?number} pause in milliseconds */
function showCountdown(pause) {
  clearInterval(countdownTimer);
  byId('countdown').textContent = '';
  if (pause === null) {
    return;
  }
  const end = performance.now() + pause;
  const show = () => {
    const seconds = Math.max(0, Math.ceil((end - performance.now()) / 1000));
    byId('countdown').textContent = `again in ${seconds} s`;
  };
  show();
  countdownTimer = setInterval(show, 250);
}

function showOpen({id, pingTimeout, authError}) {
  byId('factId').textContent = id;
  byId('factPing').textContent = `${pingTimeout / 1000} s`;
  log.notice(`Connected as socket ${id}`, 'good');
  if (authError) {
    log.notice(`The server refused the token: ${authError.name}: ${authError.message}`, 'bad');
  }
}

function showClose({code, reason, wasOpen}) {
  if (wasOpen) {
    const why = reason ? `, ${reason}` : '';
    const then = client.state === 'waiting' ? '. Connecting again by itself.' : '.';
    log.notice(`Connection closed (${code}${why})${then}`, code === 1000 ? 'plain' : 'bad');
  }
}

function showAuthentication({isAuthenticated, authToken}) {
  byId('factAuth').textContent = isAuthenticated ? 'authenticated' : 'not authenticated';
  byId('token').hidden = !isAuthenticated;
  byId('tokenBody').textContent = isAuthenticated ? JSON.stringify(authToken, null, 2) : '';
}

function showPing() {
  const dot = byId('status').firstElementChild;
  dot.classList.remove('beat');
  requestAnimationFrame(() => dot.classList.add('beat'));
}

const TOGGLE = {
  closed: () => client.connect(),
  connecting: () => client.disconnect(),
  open: () => client.disconnect(),
  waiting: () => client.retryNow(),
};

/** Connects to a path of this server; the channels come along. */
function useServer(path) {
  const channels = client ? [...client.channels.keys()] : [FIRST_CHANNEL];
  client?.disconnect();
  client = new Client({url: socketURL(path), tokenStore: new SessionTokenStore(`agtwisted.console.token ${path}`)});
  const listen = (name, show) => client.addEventListener(name, (event) => show(event.detail));
  listen('state', showState);
  listen('open', showOpen);
  listen('close', showClose);
  listen('authentication', showAuthentication);
  listen('subscription', showSubscription);
  listen('kickOut', showKickOut);
  listen('publication', showPublication);
  listen('transmission', showTransmission);
  listen('ping', showPing);
  channels.forEach((channel) => client.subscribe(channel));
  client.connect();
}

/* ---- channels ---- */

function showSubscription({channel, state, error}) {
  if (error) {
    tell(byId('subscribeNote'), `Not subscribed to ${channel}: ${error.name}: ${error.message}`, {kind: 'bad'});
  }
  if (state === 'unsubscribed') {
    counts.delete(channel);
  } else if (!counts.has(channel)) {
    counts.set(channel, 0);
  }
  showChips();
}

function showChips() {
  const chips = [...counts.keys()].map(chipFor);
  byId('chips').replaceChildren(...(chips.length ? chips : [element('li', 'empty', 'No channels yet.')]));
}

function chipFor(channel) {
  const chip = element('li', 'chip');
  chip.dataset.channel = channel;
  chip.dataset.state = client.channels.get(channel);
  const name = element('button', 'chipName', channel);
  name.type = 'button';
  name.title = 'Publish to this channel';
  name.append(' ', element('span', 'chipCount', String(counts.get(channel))));
  name.addEventListener('click', () => {
    byId('publishChannel').value = channel;
    byId('publishData').focus();
  });
  const leave = element('button', 'chipLeave', '×');
  leave.type = 'button';
  leave.setAttribute('aria-label', `Unsubscribe from ${channel}`);
  leave.addEventListener('click', () => unsubscribe(channel));
  chip.append(name, leave);
  return chip;
}

/** Only the number changes with a message: the buttons, and with them the focus, stay where they are. */
function countMessage(channel) {
  counts.set(channel, counts.get(channel) + 1);
  for (const chip of byId('chips').children) {
    if (chip.dataset.channel === channel) {
      chip.querySelector('.chipCount').textContent = String(counts.get(channel));
    }
  }
}

async function unsubscribe(channel) {
  byId('subscribeChannel').focus();
  try {
    await client.unsubscribe(channel);
    tell(byId('subscribeNote'), `Unsubscribed from ${channel}.`);
  } catch (error) {
    tell(byId('subscribeNote'), `${error.name}: ${error.message}`, {kind: 'bad'});
  }
}

async function subscribe() {
  const field = byId('subscribeChannel');
  const note = byId('subscribeNote');
  const channel = field.value.trim();
  if (!channel) {
    tell(note, 'Which channel? Type its name first.', {kind: 'bad', field});
    return;
  }
  if (client.channels.has(channel)) {
    tell(note, `You are subscribed to ${channel} already.`);
    return;
  }
  try {
    await client.subscribe(channel);
    tell(note, client.state === 'open' ? `Subscribed to ${channel}.` : `${channel} is subscribed to once connected.`);
    byId('publishChannel').value = channel;
    field.value = '';
  } catch {
    field.focus(); // The refusal is told where all subscriptions are followed.
  }
}

function showKickOut({channel, message}) {
  log.notice(`Kicked out of ${channel}${message ? `: ${message}` : ''}`, 'bad');
}

/** @return {boolean} whether the data was signed by another console page */
function isSigned(data) {
  return data !== null && typeof data === 'object' && typeof data.from === 'string' && 'message' in data;
}

function showPublication({channel, data}) {
  countMessage(channel);
  if (!isSigned(data)) {
    log.message({channel, data});
    return;
  }
  log.message({channel, data, sender: data.from, colour: colourOf(data.from), said: data.message});
  if (data.from !== me) {
    showOtherTab(data.from);
  }
}

function showOtherTab(name) {
  byId('tabOther').dataset.seen = 'yes';
  byId('tabOther').setAttribute('class', `tabB ${colourOf(name)}`);
  byId('tabOtherName').textContent = name;
  byId('tabOtherNote').textContent = 'another tab';
}

async function publish() {
  const note = byId('publishNote');
  const channel = byId('publishChannel').value.trim();
  if (!channel) {
    tell(note, 'Which channel? Type its name first.', {kind: 'bad', field: byId('publishChannel')});
    return;
  }
  try {
    const message = readData(byId('publishData').value, formatOf('publishFormat'));
    if (message === undefined) {
      throw new InputError('Type a message first.');
    }
    const started = performance.now();
    await client.publish(channel, byId('signed').checked ? {from: me, message} : message);
    const heard = client.channels.has(channel) ? '' : ' You are not subscribed to it, so it does not show below.';
    tell(note, `Published to ${channel} in ${inMilliseconds(started)}.${heard}`, {kind: 'good'});
  } catch (error) {
    if (error instanceof InputError) {
      tell(note, error.message, {kind: 'bad', field: byId('publishData')});
    } else {
      tell(note, `Not published: ${error.name}: ${error.message}`, {kind: 'bad'});
    }
  }
}

function showTransmission({event, data}) {
  log.message({channel: `event ${event}`, data});
}

/* ---- procedures and events ---- */

function showAnswer(kind, title, body = '', time = '') {
  byId('answer').dataset.kind = kind;
  byId('answerTitle').textContent = title;
  byId('answerTime').textContent = time;
  byId('answerBody').textContent = body;
}

/** @return {?{name: string, data: *}} null when a field has to be corrected first */
function readCall() {
  const note = byId('callDataNote');
  const field = byId('callName');
  const name = field.value.trim();
  field.setAttribute('aria-invalid', String(!name));
  if (!name) {
    showAnswer('bad', 'Which procedure or event? Type its name first.');
    field.focus();
    return null;
  }
  try {
    const data = readData(byId('callData').value, formatOf('callFormat'));
    tell(note, 'Leave it empty to send no data.');
    return {name, data};
  } catch (error) {
    tell(note, error.message, {kind: 'bad', field: byId('callData')});
    return null;
  }
}

async function call() {
  const input = readCall();
  if (!input) {
    return;
  }
  const {name, data} = input;
  showAnswer('waiting', `Waiting for ${name} to answer…`);
  const started = performance.now();
  try {
    const answer = await client.invoke(name, data);
    const body = answer === undefined ? '(ended without data)' : JSON.stringify(answer, null, 2);
    showAnswer('good', `${name} answered`, body, inMilliseconds(started));
  } catch (error) {
    showAnswer('bad', error.name, explain(error, name), inMilliseconds(started));
  }
}

function explain(error, name) {
  if (error.name === 'TimeoutError') {
    return `${error.message}.\n\nProbably nobody serves “${name}” on this server. Serve it with\n`
      + `socket.procedure(${JSON.stringify(name)}), as shown below under “What next”.`;
  }
  const details = Object.keys(error.details).length ? `\n${inWords(error.details)}` : '';
  return `${error.message}${details}`;
}

function transmit() {
  const input = readCall();
  if (!input) {
    return;
  }
  try {
    client.transmit(input.name, input.data);
    showAnswer('good', `${input.name} sent`, `Nothing comes back.\nRead it with socket.receiver(${JSON.stringify(input.name)}).`);
  } catch (error) {
    showAnswer('bad', error.name, error.message);
  }
}

/* ---- putting it together ---- */

function onSubmit(formId, action) {
  byId(formId).addEventListener('submit', (event) => {
    event.preventDefault();
    action();
  });
}

async function copy(button) {
  await navigator.clipboard.writeText(byId(button.dataset.copies).textContent);
  button.textContent = 'Copied';
  setTimeout(() => { button.textContent = 'Copy'; }, 1500);
}

function prefill() {
  byId('me').textContent = me;
  byId('me').classList.add(colourOf(me));
  byId('tabMine').classList.add(colourOf(me));
  byId('tabMineName').textContent = me;
  byId('publishData').value = `Hello from ${me}`;
  byId('callData').value = JSON.stringify({name: me});
  byId('host').textContent = location.host;
  byId('path').value = new URLSearchParams(location.search).get('path') || DEFAULT_PATH;
  byId('secondTab').href = location.href;
  document.title = `${me} · agtwisted console`;
}

function listenToThePage() {
  onSubmit('subscribeForm', subscribe);
  onSubmit('publishForm', publish);
  onSubmit('callForm', call);
  onSubmit('pathForm', () => useServer(byId('path').value.trim() || DEFAULT_PATH));
  byId('transmitButton').addEventListener('click', transmit);
  byId('toggle').addEventListener('click', () => TOGGLE[client.state]());
  byId('deauthenticate').addEventListener('click', () => client.deauthenticate());
  byId('logFilter').addEventListener('input', () => log.filter(byId('logFilter').value));
  byId('logClear').addEventListener('click', () => log.clear());
  byId('callData').addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      byId('callForm').requestSubmit();
    }
  });
  addEventListener('online', () => client.retryNow());
  if (navigator.clipboard) {
    for (const button of document.querySelectorAll('.copy')) {
      button.hidden = false;
      button.addEventListener('click', () => copy(button));
    }
  }
}

prefill();
listenToThePage();
useServer(byId('path').value);
