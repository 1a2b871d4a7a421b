/** One conversation's messages: shown in order, kept in place while more come, and read when they are really seen. */

import {
  avatar, byID, clockTime, dayName, element, isSameDay, place, say, shortTime, textOf, ticks, write,
} from './show.js';

const TOGETHER_MS = 3 * 60_000; // messages of one sender within this time are shown as one block
const NEAR_END_PX = 80;
const MORE_BEFORE_PX = 400;

/** Whether somebody may be looking: the tab is in front, and the window is the one that is used. */
export const isInFront = () => document.visibilityState === 'visible' && document.hasFocus();

/** How far an own message has been read: a kind, for its looks, and the words. */
export function statusOf(message, receipt, { readReceipts = true, isOnline = true } = {}) {
  if (message.status === 'unSend') return { kind: 'waiting', text: say(isOnline ? 'sending' : 'waiting') };
  if (message.status === 'fail') return { kind: 'failed', text: say('failed') };
  if (!readReceipts) return message.needReadReceipt ? { kind: 'sent', text: say('receiptsOff') } : { kind: 'sent', text: '' };
  // That the peer has marked the conversation read says it only of messages that asked for no receipt of their own.
  if (message.userID && (message.needReadReceipt ? receipt?.isPeerRead : message.isPeerRead)) {
    return { kind: 'all', text: receipt?.timestamp ? say('readAt', shortTime(receipt.timestamp * 1000)) : say('read') };
  }
  if (!message.needReadReceipt) return { kind: 'sent', text: '' };
  if (message.userID || !receipt?.readCount) return { kind: 'unread', text: say('unread') };
  if (receipt.unreadCount === 0) return { kind: 'all', text: say('allRead') };
  return { kind: 'some', text: say('someRead', receipt.readCount) };
}

export class Thread {
  #scroller = byID('thread');
  #toEnd = byID('to-end');
  #seenBy; // tells which of these messages have come into view
  #inView = new Map(); // node → message
  #nodes = new Map(); // key → {node, …}
  #fresh = 0; // messages that came below what is in view

  /** `look` says how things stand; `onSeen`, `onOlder`, `onDetails` and `onResend` are told what the user does. */
  constructor({ look, onSeen, onOlder, onDetails, onResend }) {
    Object.assign(this, { look, onSeen, onOlder, onDetails, onResend });
    this.#seenBy = new IntersectionObserver((entries) => this.#look(entries), { root: this.#scroller, threshold: 0.9 });
    this.#scroller.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#toEnd.addEventListener('click', () => this.scrollToEnd(true));
    for (const event of ['focus', 'pointerdown']) window.addEventListener(event, () => this.report());
    document.addEventListener('visibilitychange', () => this.report());
    new ResizeObserver(() => this.#isAtEnd && this.scrollToEnd()).observe(this.#scroller);
  }

  #isAtEnd = true;

  /** Another conversation: nothing of the last one stays. */
  clear() {
    this.#seenBy.disconnect();
    this.#inView.clear();
    this.#nodes.clear();
    this.#scroller.replaceChildren();
    this.#isAtEnd = true;
    this.#fresh = 0;
    this.#toEnd.hidden = true;
  }

  /** Show these messages, in this order. What is in view stays where it is, unless that is the end. */
  show(messages, { firstUnreadSeq = 0, isFinished = false } = {}) {
    const anchor = this.#isAtEnd ? null : this.#firstInView();
    const before = anchor?.getBoundingClientRect().top;
    const rows = [];
    const kept = new Set();
    const keep = (key, make) => {
      kept.add(key);
      if (!this.#nodes.has(key)) this.#nodes.set(key, make());
      return this.#nodes.get(key);
    };
    const divider = (key, className, text) => {
      const node = keep(key, () => ({ node: element('p', { class: className }, element('span')) })).node;
      write(node.firstChild, text);
      rows.push(node);
    };
    if (isFinished) divider('beginning', 'day beginning', say('beginning'));
    let last = null;
    for (const message of messages) {
      const at = message.timestamp * 1000;
      if (!last || !isSameDay(last.timestamp * 1000, at)) divider(`day ${dayName(at)}`, 'day', dayName(at));
      if (message.seq === firstUnreadSeq) divider('unread', 'day new', say('newMessages'));
      const row = keep(message.clientMsgID ?? message.msgID, () => this.#row(message));
      const isMore = last && last.sender === message.sender && at - last.timestamp * 1000 < TOGETHER_MS;
      row.node.classList.toggle('more', Boolean(isMore) && rows.at(-1).classList.contains('message'));
      this.#update(row, message);
      rows.push(row.node);
      last = message;
    }
    for (const [key, { node }] of [...this.#nodes]) {
      if (kept.has(key)) continue;
      this.#nodes.delete(key);
      this.#inView.delete(node);
    }
    place(this.#scroller, rows);
    if (this.#isAtEnd) this.scrollToEnd();
    else if (anchor) this.#scroller.scrollTop += anchor.getBoundingClientRect().top - before;
  }

  /** Begin where the unread ones begin. */
  scrollToUnread() {
    const divider = this.#nodes.get('unread')?.node;
    if (!divider) return this.scrollToEnd();
    this.#scroller.scrollTop = divider.offsetTop - this.#scroller.offsetTop - 60;
    this.#scrolled();
  }

  scrollToEnd(isSmooth = false) {
    const isCalm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#scroller.scrollTo({ top: this.#scroller.scrollHeight, behavior: isSmooth && !isCalm ? 'smooth' : 'instant' });
  }

  /** Whether the user has scrolled back. */
  get isAway() {
    return !this.#isAtEnd;
  }

  /** A message of somebody else's came: say so, if it is out of view. */
  came() {
    if (this.#isAtEnd) return;
    this.#fresh++;
    this.#showToEnd();
  }

  /** Tell what is in view, if somebody may be looking. */
  report() {
    if (this.#inView.size > 0 && isInFront()) this.onSeen([...this.#inView.values()]);
  }

  focusStatus(message) {
    this.#nodes.get(message.clientMsgID ?? message.msgID)?.status?.focus();
  }

  #look(entries) {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.#inView.set(target, target.message);
      else this.#inView.delete(target);
    }
    this.report();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    if (this.#isAtEnd) this.#fresh = 0;
    this.#showToEnd();
    if (scrollTop < MORE_BEFORE_PX) this.onOlder();
  }

  #showToEnd() {
    this.#toEnd.hidden = this.#isAtEnd;
    write(this.#toEnd, say('toEnd', this.#fresh));
  }

  #firstInView() {
    const top = this.#scroller.getBoundingClientRect().top;
    return [...this.#scroller.children].find(
      (node) => node.classList.contains('message') && node.getBoundingClientRect().bottom > top,
    );
  }

  #row(message) {
    const isOwn = message.isSelf;
    const time = element('time', { datetime: new Date(message.timestamp * 1000).toISOString() });
    const status = element('span', { class: 'status' });
    const foot = element('p', { class: 'foot' }, time, ...(isOwn ? [status] : []));
    const bubble = element('p', { class: 'bubble', dir: 'auto' }, textOf(message));
    const name = element('h3', { class: isOwn ? 'unseen' : 'sender', dir: 'auto' }, isOwn ? say('you') : message.sender);
    const node = element(
      'article', { class: `message ${isOwn ? 'own' : 'theirs'}` },
      ...(isOwn ? [] : [avatar(message.sender)]), element('div', { class: 'body' }, name, bubble, foot),
    );
    if (!isOwn) {
      // Its end is observed: a message longer than the screen has been read when that was seen.
      foot.message = message;
      this.#seenBy.observe(foot);
    }
    return { node, time, foot, status: isOwn ? status : null };
  }

  #update(row, message) {
    write(row.time, clockTime(message.timestamp * 1000));
    if (!row.status) return;
    const { receipt, settings } = this.look(message);
    const { kind, text } = statusOf(message, receipt, settings);
    const isButton = kind === 'failed' || (Boolean(message.groupID) && ['unread', 'some', 'all'].includes(kind));
    const shown = `${kind} ${text} ${isButton}`;
    if (row.shown === shown) return;
    row.shown = shown;
    if (isButton !== (row.status.tagName === 'BUTTON')) {
      const next = element(isButton ? 'button' : 'span', isButton ? { type: 'button' } : {});
      next.addEventListener('click', () => (message.status === 'fail' ? this.onResend(message) : this.onDetails(message)));
      row.status.replaceWith(next);
      row.status = next;
    }
    row.status.className = `status ${kind}`;
    const words = element('span', {}, kind === 'failed' ? `${text} · ${say('resend')}` : text || say('sent'));
    if (!text) words.className = 'unseen';
    const marks = kind === 'waiting' || kind === 'failed' ? [] : [ticks(kind === 'all' || kind === 'some')];
    row.status.replaceChildren(...marks, words);
    row.status.title = isButton && kind !== 'failed' ? say('showDetails') : '';
  }
}
