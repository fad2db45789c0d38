/**
 * What the browser tests share: a browser, pages that are watched for errors, and a say over the server.
 *
 * A script is started with a base URL and a folder for screenshots. It asks whoever started it to stop or to start
 * the server by a line on standard output (`server: stop`, `server: start`), and gets `done` on standard input.
 */

import assert from 'node:assert/strict';
import {once} from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import {createInterface} from 'node:readline';
import {chromium} from 'playwright-core';

const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
const PATIENCE = 20000;

const [baseURL, screenshotFolder] = process.argv.slice(2);
const answers = createInterface({input: process.stdin});

/** Asks for the server to be stopped or started, and waits until it is. */
async function server(action) {
  const answered = once(answers, 'line');
  console.log(`server: ${action}`);
  const [answer] = await answered;
  assert.equal(answer, 'done');
}

/** One browser, and every fault that any of its pages has had. */
class Session {
  constructor(browser) {
    this.browser = browser;
    this.baseURL = baseURL;
    this.server = server;
    this.faults = [];
    /** While the server is away, failing requests are what has to happen. */
    this.mayFail = false;
  }

  /**
   * A new context is a new visitor: nothing is shared with other pages but the server.
   *
   * @param {object} [options] `address`, what to do to the page before it is loaded (`prepare`), and the context's own
   */
  async open({address = '/', prepare = async () => undefined, ...options} = {}) {
    const context = await this.browser.newContext({viewport: {width: 1280, height: 900}, ...options});
    context.setDefaultTimeout(PATIENCE);
    context.on('page', (page) => this.#watch(page));
    const page = await context.newPage();
    await prepare(page);
    await page.goto(new URL(address, baseURL).href);
    return page;
  }

  /** The new tab that a click opens. */
  async openBy(page, selector) {
    const opened = page.context().waitForEvent('page');
    await page.locator(selector).click();
    return opened;
  }

  #watch(page) {
    const fault = (text) => {
      if (!this.mayFail) {
        this.faults.push(text);
      }
    };
    page.on('pageerror', (error) => this.faults.push(`uncaught: ${error.stack}`));
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type())) {
        fault(`console ${message.type()}: ${message.text()}`);
      }
    });
    page.on('response', (response) => {
      if (response.status() >= 400) {
        fault(`${response.status()} for ${response.url()}`);
      }
    });
    const own = new URL(baseURL).host;
    const checkOrigin = (url) => {
      const {host, protocol} = new URL(url);
      if (host !== own && protocol !== 'data:') {
        this.faults.push(`request to another origin: ${url}`);
      }
    };
    page.on('request', (request) => checkOrigin(request.url()));
    page.on('websocket', (webSocket) => checkOrigin(webSocket.url()));
  }

  async screenshot(page, name, options = {}) {
    await page.screenshot({path: path.join(screenshotFolder, `${name}.png`), fullPage: true, ...options});
  }
}

/** Waits until an element shows a text (or no longer shows it). */
export async function shows(page, selector, text, {not = false} = {}) {
  const matching = page.locator(selector).filter({hasText: text}).first();
  await matching.waitFor({state: not ? 'detached' : 'visible', timeout: PATIENCE});
}

/** Checks that the page is no wider than the window. */
export async function fits(page) {
  const [content, view] = await page.evaluate(() => {
    const root = document.documentElement;
    return [root.scrollWidth, root.clientWidth];
  });
  assert.ok(content <= view, `the page is ${content} px wide in a window of ${view} px`);
}

/**
 * Runs the steps of a test in order and tells about each; the first failure ends the run.
 *
 * @param {Object<string, function(Session): Promise<void>>} steps
 */
export async function run(steps) {
  fs.mkdirSync(screenshotFolder, {recursive: true});
  const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
  const session = new Session(await chromium.launch({executablePath, args: FLAGS}));
  try {
    for (const [name, step] of Object.entries(steps)) {
      await step(session);
      assert.deepEqual(session.faults, [], name);
      console.log(`passed: ${name}`);
    }
    console.log('all passed');
  } catch (error) {
    console.log(`failed: ${error.stack}`);
    process.exitCode = 1;
  } finally {
    await session.browser.close();
    answers.close();
    process.stdin.destroy();
  }
}
