/** Who has read a message and who has not: two lists that page in as they scroll, and stay true while they are open. */

import { avatar, byID, element, excerpt, say, shortTime, textOf, write } from './show.js';

const PAGE_SIZE = 50;
const REFRESH_MS = 1_000; // in a busy group the lists are asked for no more often than this

export class Panel {
  #client;
  #message = null;
  #filter = 'read';
  #run = 0; // of loading: what an older one brings is no longer wanted
  #next = { nextSeq: 0, isFinished: false, isLoading: false };
  #refreshTimer = null;
  #list = byID('members').querySelector('ul');
  #scroller = byID('members');
  #tabs = { read: byID('tab-read'), unread: byID('tab-unread') };

  constructor(client, { onClose }) {
    this.#client = client;
    this.onClose = onClose;
    byID('panel-close').addEventListener('click', () => this.close());
    byID('panel').addEventListener('keydown', (event) => event.key === 'Escape' && this.close());
    for (const [filter, tab] of Object.entries(this.#tabs)) {
      tab.addEventListener('click', () => this.#choose(filter));
      tab.addEventListener('keydown', (event) => {
        if (!['ArrowLeft', 'ArrowRight'].includes(event.key)) return;
        this.#choose(filter === 'read' ? 'unread' : 'read');
        this.#tabs[this.#filter].focus();
      });
    }
    // The note below the list comes into view when the list's end does: then the next page is wanted.
    this.#atEnd = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && this.#load(), {
      root: this.#scroller, rootMargin: '200px',
    });
  }

  #atEnd;

  get message() {
    return this.#message;
  }

  open(message) {
    this.#message = message;
    byID('panel').hidden = false;
    write(byID('panel-message'), excerpt(textOf(message), 140));
    this.#choose('read');
    byID('panel-title').focus();
  }

  close() {
    if (!this.#message) return;
    const message = this.#message;
    this.#message = null;
    this.#run++;
    clearTimeout(this.#refreshTimer);
    this.#refreshTimer = null;
    this.#atEnd.disconnect();
    byID('panel').hidden = true;
    this.onClose(message);
  }

  /** The counts have changed: show them now, and the lists soon. */
  changed() {
    if (!this.#message) return;
    this.#showCounts();
    this.#refreshTimer ??= setTimeout(() => {
      this.#refreshTimer = null;
      this.#begin();
    }, REFRESH_MS);
  }

  #choose(filter) {
    this.#filter = filter;
    for (const [name, tab] of Object.entries(this.#tabs)) {
      tab.setAttribute('aria-selected', name === filter);
      tab.tabIndex = name === filter ? 0 : -1;
    }
    this.#scroller.setAttribute('aria-labelledby', `tab-${filter}`);
    this.#list.replaceChildren();
    this.#scroller.scrollTop = 0;
    this.#showCounts();
    this.#begin();
  }

  #showCounts() {
    const receipt = this.#client.receiptOf(this.#message.msgID);
    write(this.#tabs.read, say('readTab', receipt?.readCount ?? 0));
    write(this.#tabs.unread, say('unreadTab', receipt?.unreadCount ?? 0));
  }

  /** From the first page on; what is shown stays until that has come. */
  #begin() {
    this.#run++;
    this.#next = { nextSeq: 0, isFinished: false, isLoading: false };
    this.#load();
  }

  async #load() {
    if (!this.#message || this.#next.isLoading || this.#next.isFinished) return;
    const [run, isFirst] = [this.#run, this.#next.nextSeq === 0];
    this.#next.isLoading = true;
    const note = byID('members-note');
    if (this.#list.childElementCount === 0) write(note, say('loading'));
    let page;
    try {
      page = await this.#client.getGroupMessageReadMemberList(this.#message, this.#filter, this.#next.nextSeq, PAGE_SIZE);
    } catch {
      if (run !== this.#run) return;
      this.#next.isLoading = false;
      write(note, say('loadFailed'));
      return;
    }
    if (run !== this.#run) return;
    this.#next = { ...page, isLoading: false };
    const rows = page.members.map(({ userID, readAtMs }) => this.#row(userID, readAtMs));
    if (isFirst) this.#list.replaceChildren(...rows);
    else this.#list.append(...rows);
    const isEmpty = page.isFinished && this.#list.childElementCount === 0;
    const nobody = say(this.#filter === 'read' ? 'nobodyRead' : 'nobodyUnread');
    write(note, isEmpty ? nobody : page.isFinished ? '' : say('loading'));
    this.#atEnd.disconnect(); // observed anew, so that a note that is still in view asks for the next page
    if (!page.isFinished) this.#atEnd.observe(note);
  }

  #row(userID, readAtMs) {
    const time = readAtMs && element('time', { datetime: new Date(readAtMs).toISOString() }, shortTime(readAtMs));
    return element('li', {}, avatar(userID), element('bdi', { class: 'name' }, userID), ...(time ? [time] : []));
  }
}
