/** The page of the chat example in a real browser. */

import assert from 'node:assert/strict';
import {fits, run, shows} from './harness.mjs';

let ada;
let bob;

async function login(page, nickname) {
  await page.locator('#nickname').fill(nickname);
  await page.getByRole('button', {name: 'Log in'}).click();
}

async function say(page, text) {
  await page.locator('#text').fill(text);
  await page.keyboard.press('Enter');
}

async function enter(page, room) {
  await page.locator(`button[data-room=${room}]`).click();
}

await run({
  async 'a visitor reads the lobby, but is told why it cannot write or go elsewhere'(session) {
    ada = await session.open();
    bob = await session.open();
    for (const page of [ada, bob]) {
      await shows(page, '#stateText', 'Online');
      await page.locator('button[data-room=lobby][aria-current=true]').waitFor();
    }
    await say(bob, 'may I?');
    await shows(bob, '#composerNote', 'Choose a nickname to write here');
    assert.equal(await bob.locator('#text').inputValue(), 'may I?');
    await enter(bob, 'garden');
    await shows(bob, '#composerNote', 'Choose a nickname to enter the garden');
    assert.equal(await bob.locator('#roomName').innerText(), 'lobby');
  },

  async 'a login is announced, and a visitor reads what is written'() {
    await login(ada, 'Ada');
    await shows(ada, '#me', 'Ada');
    await shows(bob, '.notice', 'Ada joined');
    await shows(bob, '#present', 'Ada');
    await say(ada, 'good morning');
    await shows(ada, '.message.mine', 'good morning');
    await shows(bob, '.message', 'good morning');
    assert.equal(await bob.locator('.message', {hasText: 'may I?'}).count(), 0);
  },

  async 'a nickname is given once, and must be one'() {
    await login(bob, 'ada');
    await shows(bob, '#loginNote', 'Somebody else is called ada already');
    await login(bob, '   ');
    await shows(bob, '#loginNote', 'Please write a nickname');
    await login(bob, 'Bob');
    await shows(bob, '#me', 'Bob');
    await shows(ada, '.notice', 'Bob joined');
  },

  async 'messages cross, markup stays text, and too long ones are refused'() {
    const markup = '<b onclick="1">bold</b> & <script>1</script>';
    await say(bob, markup);
    await shows(ada, '.message', markup);
    assert.equal(await ada.locator('.message p *').count(), 0);
    await say(bob, 'x'.repeat(501));
    await shows(bob, '#composerNote', 'at most 500 characters');
    await say(bob, 'short then');
    await shows(ada, '.message', 'short then');
  },

  async 'what is said in one room is not heard in another, and unread messages are counted'() {
    await enter(ada, 'garden');
    await shows(ada, '#present', 'Ada');
    await say(ada, 'roses');
    await shows(ada, '.message', 'roses');
    await say(bob, 'anybody here?');
    await shows(ada, 'button[data-room=lobby] .unread', '1');
    assert.equal(await bob.locator('.message', {hasText: 'roses'}).count(), 0);
    await enter(bob, 'garden');
    await shows(bob, '.message', 'roses');
    await shows(ada, '.notice', 'Bob joined');
  },

  async 'a reload stays logged in, shows the history once, and is not announced'() {
    await enter(ada, 'lobby');
    await ada.reload();
    await shows(ada, '#me', 'Ada');
    await shows(ada, '.message.mine', 'good morning');
    await say(ada, 'still me');
    await shows(bob, 'button[data-room=lobby] .unread', '1');
    await enter(bob, 'lobby');
    await shows(bob, '.message', 'still me');
    assert.equal(await ada.locator('.message', {hasText: 'good morning'}).count(), 1);
    assert.equal(await bob.locator('.notice', {hasText: 'Ada left'}).count(), 0);
  },

  async 'it looks right in light and dark, and fits a phone'(session) {
    await say(bob, 'I like how this looks. Words that go on for a while are wrapped, so that a line never gets too long.');
    await shows(ada, '.message', 'I like how');
    await session.screenshot(ada, 'chat-light', {fullPage: false});
    await ada.emulateMedia({colorScheme: 'dark'});
    await session.screenshot(ada, 'chat-dark', {fullPage: false});
    for (const width of [320, 360]) {
      const phone = await session.open({viewport: {width, height: 740}, deviceScaleFactor: 2});
      await shows(phone, '.message', 'good morning');
      await fits(phone);
      await login(phone, `Phone ${width}`);
      await shows(phone, '#me', `Phone ${width}`);
      await say(phone, `a long word: ${'x'.repeat(100)}`);
      await shows(phone, '.message.mine', 'a long word');
      await fits(phone);
      await session.screenshot(phone, `chat-${width}`, {fullPage: false});
      await phone.context().close();
    }
  },

  async 'a logout closes the rooms that need a nickname'() {
    await enter(bob, 'garden');
    await shows(bob, '#roomName', 'garden');
    await bob.getByRole('button', {name: 'Log out'}).click();
    await bob.locator('#loginForm').waitFor();
    await shows(bob, '#roomName', 'lobby');
    await shows(ada, '.notice', 'Bob left');
    await say(bob, 'and now?');
    await shows(bob, '#composerNote', 'Choose a nickname to write here');
  },

  async 'the page comes back with the server, and says that the login has ended'(session) {
    session.mayFail = true;
    await session.server('stop');
    await shows(ada, '#stateText', 'Trying again');
    await session.server('start');
    await shows(ada, '#stateText', 'Online');
    session.mayFail = false;
    await shows(ada, '#loginNote', 'Your login is no longer valid');
    await ada.locator('#loginForm').waitFor();
    await shows(bob, '#stateText', 'Online');
    await login(ada, 'Ada');
    await say(ada, 'after the restart');
    await shows(bob, '.message', 'after the restart');
  },
});
