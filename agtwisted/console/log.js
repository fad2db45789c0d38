/** The list of messages: bounded, newest first, and made of text only, so that data can never become markup. */

const clock = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23',
});

/**
 * @param {string} tag
 * @param {string} className
 * @param {string} [text]
 * @return {HTMLElement}
 */
export function element(tag, className, text = '') {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

/** Data as a reader wants to see it: text as it is, everything else as JSON. */
export function inWords(data) {
  return typeof data === 'string' ? data : JSON.stringify(data) ?? 'no data';
}

export class Log {
  /**
   * @param {HTMLElement} list where the rows go
   * @param {HTMLElement} count where their number is told
   * @param {number} limit the most rows to keep
   */
  constructor(list, count, limit = 500) {
    this.list = list;
    this.count = count;
    this.limit = limit;
    this.wanted = '';
    this.dropped = 0;
    this.#tellCount();
  }

  /**
   * Adds a message that arrived.
   *
   * @param {object} message
   * @param {string} message.channel
   * @param {*} message.data
   * @param {string} [message.sender] the name that the sender signed with, if any
   * @param {string} [message.colour] the class that colours that name
   * @param {*} [message.said] what was said under that name
   */
  message({channel, data, sender, colour, said}) {
    const row = element('li', 'row');
    row.append(element('time', 'when', clock.format(new Date())), element('span', 'channel', channel));
    const body = element('div', 'what');
    if (sender === undefined) {
      body.append(element('span', 'data mono', inWords(data)));
    } else {
      body.append(element('b', `sender ${colour}`, sender), ' ', element('span', 'data', inWords(said)));
    }
    row.append(body);
    this.#add(row);
  }

  /** Adds a line about the connection itself. */
  notice(text, kind = 'plain') {
    const row = element('li', `row notice ${kind}`);
    row.append(element('time', 'when', clock.format(new Date())), element('div', 'what', text));
    this.#add(row);
  }

  clear() {
    this.list.replaceChildren();
    this.dropped = 0;
    this.#tellCount();
  }

  /** Shows only the rows that contain a text. */
  filter(text) {
    this.wanted = text.trim().toLowerCase();
    for (const row of this.list.children) {
      this.#hideUnwanted(row);
    }
    this.#tellCount();
  }

  #add(row) {
    this.#hideUnwanted(row);
    this.list.prepend(row);
    while (this.list.childElementCount > this.limit) {
      this.list.lastElementChild.remove();
      this.dropped += 1;
    }
    this.#tellCount();
  }

  #hideUnwanted(row) {
    row.hidden = !row.textContent.toLowerCase().includes(this.wanted);
  }

  #tellCount() {
    const all = this.list.querySelectorAll('.row:not(.notice)').length;
    const shown = this.list.querySelectorAll('.row:not(.notice):not([hidden])').length;
    const filtered = this.wanted ? `${shown} of ${all}` : String(all);
    this.count.textContent = this.dropped ? `${filtered}, oldest dropped` : filtered;
  }
}
