/** Shows the status and the announcements; announces by an ordinary HTTP request. */

import {Client, socketURL} from './client.js';

const client = new Client({url: socketURL('/socketcluster/')});

const receivers = {
  status({clients, uptime}) {
    document.querySelector('#status').textContent = `${clients} connected, up for ${uptime} s`;
  },
  announcements(text) {
    const item = document.createElement('li');
    item.textContent = text;
    document.querySelector('#announcements').prepend(item);
  },
};

client.addEventListener('publication', ({detail: {channel, data}}) => receivers[channel](data));

document.querySelector('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const input = event.target.querySelector('input');
  await fetch('announcements', {method: 'POST', body: input.value});
  input.value = '';
});

client.connect();
for (const channel of Object.keys(receivers)) {
  client.subscribe(channel);
}
