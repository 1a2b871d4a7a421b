/** How things are shown: elements, words in the user's language, names as colours, and times. Text is only ever text. */


const LANGUAGES = ['en', 'zh'];
let language, words;

export const currentLanguage = () => language;

/** The words for something, in the page's language. */
export function say(name, ...details) {
  return typeof words[name] === 'function' ? words[name](...details) : words[name];
}

/** Turn the page to a language, and all its fixed words. */
export async function speak(wanted) {
  language = LANGUAGES.includes(wanted) ? wanted : LANGUAGES[0];
  words = (await import(`./words.${language}.js`)).default;
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  for (const node of document.querySelectorAll('[data-text]')) node.textContent = say(node.dataset.text);
  for (const node of document.querySelectorAll('[data-label]')) node.setAttribute('aria-label', say(node.dataset.label));
  for (const node of document.querySelectorAll('[data-placeholder]')) node.placeholder = say(node.dataset.placeholder);
}

export const byID = (id) => document.getElementById(id);

/** An element. Names that start with `on` are listeners; children are elements or text. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, '');
    else if (value !== false && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/** One tick, or two. */
export function ticks(isDouble) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 20 12');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('ticks');
  const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  path.setAttribute('d', isDouble ? 'M1 7l4 4 8-9M9 10l1 1 8-9' : 'M4 7l4 4 8-9');
  svg.append(path);
  return svg;
}

/** Put children into a node's order, touching only what is not there already. */
export function place(parent, children) {
  let at = parent.firstChild;
  for (const child of children) {
    if (child === at) at = at.nextSibling;
    else parent.insertBefore(child, at);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** Text that is written only when it differs, so that nobody is told twice. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function avatar(name) {
  const node = element('span', { class: 'avatar', 'aria-hidden': 'true' });
  return dressAvatar(node, name);
}

/** The first letter of a name, on one of eight colours that is always the same for it. */
export function dressAvatar(node, name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 8;
  node.dataset.colour = sum;
  node.textContent = [...new Intl.Segmenter().segment(name)][0]?.segment.toUpperCase() ?? '';
  return node;
}

const dayOf = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
const format = (options) => new Intl.DateTimeFormat(document.documentElement.lang, options);

export const clockTime = (ms) => format({ hour: '2-digit', minute: '2-digit', hour12: false }).format(ms);

/** The day of a time, as a word where there is one. */
export function dayName(ms) {
  const days = Math.round((dayOf(new Date()) - dayOf(new Date(ms))) / 86_400_000);
  if (days === 0) return say('today');
  if (days === 1) return say('yesterday');
  return format({ year: 'numeric', month: 'long', day: 'numeric', weekday: 'short' }).format(ms);
}

export const isSameDay = (ms, other) => dayOf(new Date(ms)) === dayOf(new Date(other));

/** As short as it can be understood: the time of day, or also the day. */
export function shortTime(ms) {
  return isSameDay(ms, Date.now()) ? clockTime(ms) : `${format({ month: 'numeric', day: 'numeric' }).format(ms)} ${clockTime(ms)}`;
}

/** Say something to those who listen to the page instead of looking at it. */
export function announce(text) {
  byID('live').textContent = text;
}

export const textOf = (message) => message.text ?? say('custom');
export const excerpt = (text, length = 40) => ([...text].length > length ? `${[...text].slice(0, length).join('')}…` : text);
