/** The console page in a real browser. */

import assert from 'node:assert/strict';
import {fits, run, shows} from './harness.mjs';

let one;
let two;

async function fill(page, selector, text) {
  await page.locator(selector).fill(text);
}

async function press(page, name) {
  await page.getByRole('button', {name, exact: true}).click();
}

async function choose(page, group, value) {
  await page.locator(`input[name=${group}][value=${value}]`).check({force: true});
}

async function publish(page, channel, text) {
  await fill(page, '#publishChannel', channel);
  await fill(page, '#publishData', text);
  await press(page, 'Publish');
  await shows(page, '#publishNote', `Published to ${channel}`);
}

function countOf(page, channel) {
  return page.locator(`.chip[data-channel="${channel}"] .chipCount`).innerText();
}

await run({
  async 'two tabs connect and subscribe to the lobby by themselves'(session) {
    one = await session.open();
    two = await session.openBy(one, '#secondTab');
    for (const page of [one, two]) {
      await shows(page, '#stateText', 'Connected');
      await page.locator('.chip[data-channel=lobby][data-state=subscribed]').waitFor();
      assert.match(await page.locator('#factId').innerText(), /^[\w+/=-]{10,}$/);
      assert.match(await page.locator('#factPing').innerText(), /^\d+ s$/);
      assert.equal(await page.locator('#factAuth').innerText(), 'not authenticated');
    }
    const ids = await Promise.all([one, two].map((page) => page.locator('#factId').innerText()));
    assert.notEqual(ids[0], ids[1]);
  },

  async 'each tab has a name and a colour of its own, and keeps them over a reload'() {
    const colour = (page) => page.locator('#me').getAttribute('class');
    assert.notEqual(await one.locator('#me').innerText(), await two.locator('#me').innerText());
    assert.notEqual(await colour(one), await colour(two));
    const before = await one.locator('#me').innerText();
    await one.reload();
    await one.locator('.chip[data-channel=lobby][data-state=subscribed]').waitFor();
    assert.equal(await one.locator('#me').innerText(), before);
  },

  async 'what one tab publishes arrives in both, with its name'() {
    const names = await Promise.all([one, two].map((page) => page.locator('#me').innerText()));
    await publish(one, 'lobby', 'hello from one');
    await shows(two, '.row', `${names[0]} hello from one`);
    await shows(one, '.row', `${names[0]} hello from one`);
    await publish(two, 'lobby', 'hello from two');
    await shows(one, '.row', `${names[1]} hello from two`);
    assert.equal(await countOf(one, 'lobby'), '2');
    assert.equal(await countOf(two, 'lobby'), '2');
    assert.equal(await one.locator('#tabOtherName').textContent(), names[1]);
  },

  async 'markup in data stays text'() {
    const markup = '<img src="/nothing" onerror="document.title=1"><b>bold</b>';
    await publish(two, 'lobby', markup);
    await shows(one, '.row', markup);
    assert.equal(await one.locator('.row img, .row .data b').count(), 0);
  },

  async 'a procedure answers'() {
    await press(one, 'Call');
    await shows(one, '#answerTitle', 'hello answered');
    const name = await one.locator('#me').innerText();
    const answer = JSON.parse(await one.locator('#answerBody').innerText());
    assert.ok(answer.greeting.includes(name));
    assert.equal(answer.from, await one.locator('#factId').innerText());
    assert.match(await one.locator('#answerTime').innerText(), /^[\d.]+ ms$/);
    await fill(one, '#callName', 'time');
    await fill(one, '#callData', '');
    await press(one, 'Call');
    await shows(one, '#answerTitle', 'time answered');
    const {time} = JSON.parse(await one.locator('#answerBody').innerText());
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60000, time);
  },

  async 'a call that nobody answers is explained'(session) {
    const page = await session.open();
    await shows(page, '#stateText', 'Connected');
    await page.clock.install();
    await fill(page, '#callName', 'nobodyServesThis');
    await press(page, 'Call');
    await shows(page, '#answerTitle', 'Waiting for nobodyServesThis');
    await page.clock.runFor(10500);
    await shows(page, '#answerTitle', 'TimeoutError');
    await shows(page, '#answerBody', 'Probably nobody serves “nobodyServesThis”');
    await page.context().close();
  },

  async 'invalid JSON is told beside its field, and nothing is sent'() {
    await fill(one, '#callName', 'hello');
    await fill(one, '#callData', '{"name": }');
    await press(one, 'Call');
    await shows(one, '#callDataNote', 'This is not valid JSON');
    assert.equal(await one.locator('#callData').getAttribute('aria-invalid'), 'true');
    await choose(one, 'publishFormat', 'json');
    await fill(one, '#publishData', '{oops');
    const before = await countOf(two, 'lobby');
    await press(one, 'Publish');
    await shows(one, '#publishNote', 'This is not valid JSON');
    assert.equal(await one.locator('#publishData').getAttribute('aria-invalid'), 'true');
    await fill(one, '#publishData', '{"n": [1, null]}');
    await press(one, 'Publish');
    await shows(one, '#publishNote', 'Published to lobby');
    await shows(two, '.row', '{"n":[1,null]}');
    assert.equal(await countOf(two, 'lobby'), String(Number(before) + 1));
    assert.equal(await one.locator('#publishData').getAttribute('aria-invalid'), 'false');
    await choose(one, 'publishFormat', 'text');
    await fill(one, '#callData', '"Ada"');
    await press(one, 'Call');
    await shows(one, '#answerBody', 'Ada');
    assert.equal(await one.locator('#callData').getAttribute('aria-invalid'), 'false');
  },

  async 'transmitting says that no answer comes'() {
    await press(one, 'Transmit');
    await shows(one, '#answerTitle', 'hello sent');
  },

  async 'unsubscribing stops the messages of that channel only'() {
    await fill(two, '#subscribeChannel', 'weather');
    await press(two, 'Subscribe');
    await two.locator('.chip[data-channel=weather][data-state=subscribed]').waitFor();
    await publish(one, 'weather', 'sunny');
    await shows(two, '.row', 'sunny');
    await two.getByRole('button', {name: 'Unsubscribe from weather'}).click();
    await shows(two, '#subscribeNote', 'Unsubscribed from weather');
    await publish(one, 'weather', 'rainy');
    await publish(one, 'lobby', 'after the rain');
    await shows(two, '.row', 'after the rain');
    assert.equal(await two.locator('.row', {hasText: 'rainy'}).count(), 0);
    assert.equal(await two.locator('.chip[data-channel=weather]').count(), 0);
  },

  async 'the messages can be filtered and cleared, and never grow beyond their limit'() {
    await fill(two, '#logFilter', 'after the');
    assert.equal(await two.locator('.row:visible').count(), 1);
    await fill(two, '#logFilter', '');
    await press(two, 'Clear');
    assert.equal(await two.locator('.row').count(), 0);
    const most = await two.evaluate(async () => {
      const {Log} = await import('./console/log.js');
      const list = document.createElement('ol');
      const log = new Log(list, document.createElement('span'));
      for (let number = 0; number < 600; number += 1) {
        log.message({channel: 'x', data: number});
      }
      return [list.childElementCount, list.firstElementChild.textContent.endsWith('599')];
    });
    assert.deepEqual(most, [500, true]);
  },

  async 'the page survives a server that goes away and comes back'(session) {
    const firstId = await one.locator('#factId').innerText();
    session.mayFail = true;
    await session.server('stop');
    await shows(one, '#stateText', 'Connection lost');
    await shows(one, '.row', 'Connecting again by itself');
    assert.equal(await one.locator('#toggle').innerText(), 'Try now');
    await session.screenshot(one, 'console-server-away', {fullPage: false});
    await session.server('start');
    for (const page of [one, two]) {
      await shows(page, '#stateText', 'Connected');
      await page.locator('.chip[data-channel=lobby][data-state=subscribed]').waitFor();
    }
    session.mayFail = false;
    assert.notEqual(await one.locator('#factId').innerText(), firstId);
    await publish(one, 'lobby', 'back again');
    await shows(two, '.row', 'back again');
  },

  async 'disconnecting by hand stays disconnected until asked to connect'() {
    await press(two, 'Disconnect');
    await shows(two, '#stateText', 'Not connected');
    await press(two, 'Publish');
    await shows(two, '#publishNote', 'Not published');
    await press(two, 'Connect');
    await shows(two, '#stateText', 'Connected');
  },

  async 'a path in the address is used, and a wrong one can be mended'(session) {
    session.mayFail = true;
    const page = await session.open({address: '/?path=/elsewhere/'});
    assert.equal(await page.locator('#path').inputValue(), '/elsewhere/');
    await shows(page, '#stateText', 'Server not reached');
    session.mayFail = false;
    await fill(page, '#path', '/socketcluster/');
    await press(page, 'Connect there');
    await shows(page, '#stateText', 'Connected');
    await page.context().close();
  },

  async 'every control can be reached by keyboard and has a name'() {
    const nameless = await one.evaluate(() => [...document.querySelectorAll('input, textarea, button, a')]
      .filter((control) => !control.labels?.length && !control.textContent.trim() && !control.getAttribute('aria-label'))
      .map((control) => control.outerHTML));
    assert.deepEqual(nameless, []);
    await one.locator('#publishData').focus();
    await one.keyboard.type('!');
    await one.keyboard.press('Enter');
    await shows(one, '#publishNote', 'Published to lobby');
  },

  async 'it fits a phone, and looks right in light and dark'(session) {
    await fill(one, '#callData', '{"name": "Ada"}');
    await press(one, 'Call');
    await shows(one, '#answerBody', 'Ada');
    await session.screenshot(one, 'console-light');
    await one.emulateMedia({colorScheme: 'dark'});
    await session.screenshot(one, 'console-dark');
    for (const width of [320, 360, 768]) {
      const phone = await session.open({viewport: {width, height: 740}, deviceScaleFactor: 2});
      await shows(phone, '#stateText', 'Connected');
      await publish(phone, 'lobby', `a long word from a phone: ${'x'.repeat(200)}`);
      await shows(phone, '.row', 'a long word');
      await fits(phone);
      await session.screenshot(phone, `console-${width}`);
      await phone.context().close();
    }
  },
});
