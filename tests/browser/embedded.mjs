/** The page of the embedded example in a real browser. */

import assert from 'node:assert/strict';
import {fits, run, shows} from './harness.mjs';

let first;
let second;

await run({
  async 'two pages see the status grow'(session) {
    first = await session.open();
    await shows(first, '#status', '1 connected');
    second = await session.open({viewport: {width: 360, height: 640}});
    await shows(first, '#status', '2 connected');
    await fits(second);
  },

  async 'an announcement of one reaches the other, once'(session) {
    await first.locator('input').fill('Tea is ready');
    await first.getByRole('button', {name: 'Announce'}).click();
    await shows(second, '#announcements li', 'Tea is ready');
    assert.equal(await second.locator('#announcements li').count(), 1);
    await session.screenshot(second, 'embedded');
  },

  async "the site's own resource is served as before"(session) {
    const response = await second.request.get(new URL('/announcements', session.baseURL).href);
    assert.equal(await response.text(), 'Tea is ready\n');
  },

  async 'a request to the realtime path that is no upgrade is answered by the site'(session) {
    const response = await second.request.get(new URL('/socketcluster/', session.baseURL).href);
    assert.equal(response.status(), 404);
  },
});
