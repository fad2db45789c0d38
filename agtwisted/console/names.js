/** A friendly name for this tab, and a colour for every name. */

const FIRST = [
  'Brisk', 'Calm', 'Clever', 'Gentle', 'Happy', 'Lively', 'Mellow', 'Nimble',
  'Patient', 'Quiet', 'Sunny', 'Swift', 'Tidy', 'Warm', 'Wise', 'Witty',
];
const SECOND = ['Badger', 'Falcon', 'Finch', 'Hare', 'Heron', 'Lynx', 'Marten', 'Otter', 'Plover', 'Raven', 'Tern', 'Wren'];
const COLOURS = 8;
const NAME_KEY = 'agtwisted.console.name';
const TURN_KEY = 'agtwisted.console.turn';

/** A whole number from 0 up to, but not including, the limit. */
function random(limit) {
  return Math.floor(Math.random() * limit);
}

/** The tabs of one browser take turns at the first word, so that two neighbours differ in name and in colour. */
function nextTurn() {
  const last = localStorage.getItem(TURN_KEY);
  const turn = last === null ? random(FIRST.length) : (Number(last) + 1) % FIRST.length;
  localStorage.setItem(TURN_KEY, turn);
  return turn;
}

function newName() {
  let turn;
  try {
    turn = nextTurn();
  } catch {
    turn = random(FIRST.length); // Storage is forbidden, so the tabs cannot know of each other.
  }
  return `${FIRST[turn]} ${SECOND[random(SECOND.length)]}`;
}

/** Keeps the name over a reload. A copy of the tab gets a name of its own, although it inherits the storage. */
export function nameOfThisTab() {
  const [navigation] = performance.getEntriesByType('navigation');
  let name = null;
  try {
    name = navigation?.type === 'reload' ? sessionStorage.getItem(NAME_KEY) : null;
    name ??= newName();
    sessionStorage.setItem(NAME_KEY, name);
  } catch {
    name ??= newName(); // Without storage the name changes with each reload.
  }
  return name;
}

/**
 * @param {string} name
 * @return {string} the class that gives this name its colour, the same in every tab
 */
export function colourOf(name) {
  const turn = FIRST.indexOf(name.split(' ')[0]);
  const sum = [...name].reduce((total, character) => (total * 31 + character.codePointAt(0)) % 65521, 7);
  return `colour${(turn >= 0 ? turn : sum) % COLOURS}`;
}
