/** The page of the introduction in a real browser. */

import {run, shows} from './harness.mjs';

await run({
  async 'a greeting is answered, and every page sees it'(session) {
    const [first, second] = [await session.open(), await session.open()];
    await first.locator('input').fill('Ada');
    await first.getByRole('button', {name: 'Greet'}).click();
    await shows(first, '#answer', 'Hello, Ada!');
    await shows(second, '#greetings li', 'Ada is here');
  },
});
