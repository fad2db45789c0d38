/** The chat's page: rooms, messages, and who one is. All rules are the server's; the page only shows what it says. */

import {Client, SessionTokenStore, socketURL} from './client.js';

const PREFIX = 'room/';
const OPEN_ROOM = 'lobby';
const MOST_MESSAGES = 300;
const STATE_WORDS = {closed: 'Offline', connecting: 'Connecting…', open: 'Online', waiting: 'Trying again…'};

const byId = (id) => document.getElementById(id);
const client = new Client({url: socketURL('/socketcluster/'), tokenStore: new SessionTokenStore('chat.token')});

/** @type {Map<string, {name: string, people: number, unread: number, events: object[], present: string[]}>} */
const rooms = new Map();
let current = OPEN_ROOM;

/* ---- showing ---- */

function element(tag, className, text = '') {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text; // Never markup: what people write stays text.
  return made;
}

function tell(note, text, kind = 'plain') {
  note.textContent = text;
  note.dataset.kind = kind;
  for (const field of document.querySelectorAll(`[aria-describedby=${note.id}]`)) {
    field.setAttribute('aria-invalid', String(kind === 'bad'));
  }
}

function colourOf(nickname) {
  const sum = [...nickname].reduce((total, character) => (total * 31 + character.codePointAt(0)) % 65521, 7);
  return `colour${sum % 8}`;
}

function showRooms() {
  byId('rooms').replaceChildren(...[...rooms.values()].map(({name, people, unread}) => {
    const item = element('li', '');
    const button = element('button', '', name);
    button.type = 'button';
    button.dataset.room = name;
    button.setAttribute('aria-current', String(name === current));
    if (unread) {
      const mark = element('span', 'unread', String(unread));
      mark.title = 'unread';
      button.append(mark);
    }
    const count = element('span', 'people', String(people));
    count.title = `${people} here`;
    button.append(count);
    button.addEventListener('click', () => enter(name));
    item.append(button);
    return item;
  }));
}

function showPresent(names) {
  const list = new Intl.ListFormat('en').format(names);
  byId('present').textContent = names.length ? `Here now: ${list}` : 'Nobody is here yet.';
}

function showEvent(event) {
  const list = byId('messages');
  const isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  list.append(event.kind === 'message' ? messageFor(event) : noticeFor(event));
  while (list.childElementCount > MOST_MESSAGES) {
    list.firstElementChild.remove();
  }
  if (isAtEnd) {
    list.scrollTop = list.scrollHeight; // Somebody who reads further up is left in peace.
  }
}

function messageFor({nickname, text, time}) {
  const isMine = nickname === client.authToken?.nickname;
  const item = element('li', `message ${colourOf(nickname)}${isMine ? ' mine' : ''}`);
  const head = element('header', '');
  const clock = new Date(time).toLocaleTimeString([], {hour: '2-digit', minute: '2-digit'});
  head.append(element('b', '', nickname), element('time', '', clock));
  item.append(head, element('p', '', text));
  return item;
}

function noticeFor({kind, nickname}) {
  return element('li', 'notice', `${nickname} ${kind === 'joined' ? 'joined' : 'left'}`);
}

function showCurrentRoom() {
  const room = rooms.get(current);
  byId('roomName').textContent = current;
  byId('text').placeholder = `Write to the ${current}`;
  byId('messages').replaceChildren();
  room.events.forEach(showEvent);
  showPresent(room.present);
  room.unread = 0;
  showRooms();
  byId('messages').scrollTop = byId('messages').scrollHeight;
}

/* ---- rooms ---- */

async function loadRooms() {
  for (const {name, people} of await client.invoke('rooms')) {
    const room = rooms.get(name) ?? {name, unread: 0, events: [], present: []};
    rooms.set(name, {...room, people});
  }
  showRooms();
}

/** Subscribes first and asks for the history then, so that nothing falls in between. */
async function enter(name) {
  try {
    await client.subscribe(PREFIX + name);
    current = name;
    tell(byId('composerNote'), '');
    await loadHistory(name);
  } catch (error) {
    tell(byId('composerNote'), `${error.message}.`, 'bad');
  }
}

/** Brings the history and what has arrived by itself together, each once, in order. */
function merge(...lists) {
  const events = new Map(lists.flat().map((event) => [event.id ?? event, event]));
  return [...events.values()].sort((one, other) => one.time.localeCompare(other.time)).slice(-MOST_MESSAGES);
}

async function loadHistory(name) {
  const {messages, present} = await client.invoke('history', {room: name});
  const room = rooms.get(name);
  room.events = merge(room.events, messages);
  room.present = present;
  room.people = present.length;
  if (name === current) {
    showCurrentRoom();
  } else {
    showRooms();
  }
}

function publicationReceived({channel, data}) {
  const room = rooms.get(channel.slice(PREFIX.length));
  if (!room || (data.id && room.events.some(({id}) => id === data.id))) {
    return; // The history brought it already.
  }
  room.events = merge(room.events, [data]);
  if (data.present) {
    room.present = data.present;
    room.people = data.present.length;
  }
  if (room.name === current) {
    showEvent(data);
    showPresent(room.present);
  } else if (data.kind === 'message') {
    room.unread += 1;
  }
  showRooms();
}

async function send() {
  const field = byId('text');
  const note = byId('composerNote');
  if (!field.value.trim()) {
    return;
  }
  try {
    await client.publish(PREFIX + current, {text: field.value});
    field.value = '';
    tell(note, '');
  } catch (error) {
    tell(note, `${error.message}.`, 'bad');
    if (error.name === 'NotAllowedError' && !client.isAuthenticated) {
      byId('nickname').focus();
    }
  }
}

/* ---- who one is ---- */

async function login() {
  try {
    await client.invoke('login', {nickname: byId('nickname').value});
    tell(byId('loginNote'), '');
    tell(byId('composerNote'), '');
    byId('text').focus();
  } catch (error) {
    tell(byId('loginNote'), `${error.message}.`, 'bad');
  }
}

async function logout() {
  try {
    await client.invoke('logout');
  } catch (error) {
    tell(byId('loginNote'), `${error.message}.`, 'bad');
  }
}

function showAuthentication({isAuthenticated, authToken}) {
  byId('loginForm').hidden = isAuthenticated;
  byId('account').hidden = !isAuthenticated;
  const nickname = authToken?.nickname ?? '';
  byId('me').textContent = nickname;
  document.title = nickname ? `${nickname} · Chat` : 'Chat';
  if (rooms.size) {
    showCurrentRoom(); // Which messages are one's own depends on who one is.
  }
}

/* ---- putting it together ---- */

function listen(name, show) {
  client.addEventListener(name, (event) => show(event.detail));
}

function onSubmit(formId, action) {
  byId(formId).addEventListener('submit', (event) => {
    event.preventDefault();
    action();
  });
}

listen('state', ({state}) => {
  byId('status').dataset.state = state;
  byId('stateText').textContent = STATE_WORDS[state];
});
listen('open', async ({authError}) => {
  if (authError) {
    tell(byId('loginNote'), 'Your login is no longer valid. Please log in again.', 'bad');
  }
  try {
    await loadRooms();
    await enter(current);
    const others = [...client.channels.keys()].map((channel) => channel.slice(PREFIX.length));
    await Promise.all(others.filter((name) => name !== current).map(loadHistory));
  } catch (error) {
    tell(byId('composerNote'), `${error.message}.`, 'bad');
  }
});
listen('subscription', ({channel, error}) => {
  if (error && channel === PREFIX + current) {
    enter(OPEN_ROOM); // The room is closed to us since the connection came back.
  }
});
listen('authentication', showAuthentication);
listen('publication', publicationReceived);
listen('kickOut', ({channel}) => {
  if (channel === PREFIX + current) {
    enter(OPEN_ROOM);
  }
});
onSubmit('loginForm', login);
onSubmit('composer', send);
byId('logout').addEventListener('click', logout);
addEventListener('online', () => client.retryNow());
client.connect();
