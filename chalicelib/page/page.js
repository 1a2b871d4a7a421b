/** The chat page: who is here, which conversations there are, which one is open, and how things stand with the network. */

import { ChatClient, conversationIDOf } from './client.js';
import {
  announce, avatar, byID, currentLanguage, dressAvatar, element, excerpt, place, say, shortTime, speak, textOf, write,
} from './show.js';
import { isInFront, statusOf, Thread } from './thread.js';

const HISTORY_COUNT = 30;
const HISTORY_COUNT_MAX = 100;
const UNREAD_MAX = 100; // the service counts no further
const KEPT_MAX = 1_000; // messages of a conversation; those before page in again
const ANNOUNCE_MS = 800;
const RELOAD_MS = 300;
const NO_SUCH_GROUP = 10010;
const TOKEN = 'read-receipts.token';

// What the browser keeps, where it lets us: the token as long as the tab, choices for good.
const kept = (storage) => ({
  get(key) {
    try {
      return storage().getItem(key);
    } catch {
      return null;
    }
  },
  set(key, value) {
    try {
      storage().setItem(key, value);
    } catch {
      // Forbidden: then it is asked for the next time.
    }
  },
});
const tab = kept(() => sessionStorage);
const device = kept(() => localStorage);

let client, thread, panel;
let settings = { readReceipts: true, mayTurnReceiptsOff: true };
let openID = null;
let isExpired = false;
let isLost = false; // there was no connection since the last failure
let knowsSettings = false;
const conversations = new Map(); // conversationID → {info, messages, local, unread, readSeq, …}

async function start() {
  await speak(device.get('read-receipts.language') ?? navigator.language.split('-')[0]);
  byID('language').value = currentLanguage();
  const link = new URLSearchParams(location.hash.slice(1));
  if (link.has('token')) {
    // The link is good for opening the page; what stays in the address bar and the history is no secret.
    tab.set(TOKEN, JSON.stringify({ token: link.get('token'), userID: link.get('userID') ?? undefined }));
    history.replaceState(null, '', link.has('to') ? `#/${encodeURIComponent(link.get('to'))}` : '#/');
  }
  window.addEventListener('hashchange', () => (location.hash.startsWith('#token=') ? location.reload() : route()));
  let login = null;
  try {
    login = JSON.parse(tab.get(TOKEN));
  } catch {
    // None, or none that we wrote.
  }
  if (login?.token) enter(login);
  else askForToken('');
}

const askForToken = async (reason) => (await import('./signin.js')).askForToken(reason);

function enter(login) {
  client = new ChatClient({
    ...login,
    http: new URL('v1', document.baseURI).href,
    webSocket: document.querySelector('meta[name=websocket]').content,
    storage: { getItem: tab.get, setItem: tab.set },
  });
  write(byID('me'), client.userID);
  dressAvatar(byID('me-avatar'), client.userID);
  thread = new Thread({
    look: (message) => ({
      receipt: client.receiptOf(message.msgID),
      settings: { readReceipts: settings.readReceipts, isOnline: client.connectionState === 'connected' },
    }),
    onSeen: seen,
    onOlder: loadOlder,
    onDetails: openPanel,
    onResend: (message) => {
      client.resendMessage(message).catch(() => {});
      showThread();
    },
  });
  wireClient();
  wirePage();
  for (const message of client.pendingMessages) conversation(conversationIDOf(message)).local.push(message);
  client.connect();
  client.getSettings().then(applySettings, () => {});
  loadConversations().then(route, route);
  showConnection();
}

/** Who has read a message. Its code comes when it is first wanted: the page is of use before. */
async function openPanel(message) {
  if (!panel) {
    const { Panel } = await import('./panel.js');
    panel ??= new Panel(client, {
      onClose: (closed) => {
        showPane();
        thread.focusStatus(closed);
      },
    });
  }
  panel.open(message);
  showPane();
  if (!client.receiptOf(message.msgID)) client.getMessageReadReceipts([message]).catch(() => {});
}

// Conversations.

function conversation(conversationID, info) {
  if (!conversations.has(conversationID)) {
    const name = conversationID.replace(/^(c2c|group)_/, '');
    const [userID, groupID] = conversationID.startsWith('c2c_') ? [name, undefined] : [undefined, name];
    conversations.set(conversationID, {
      info: { conversationID, showName: name, userID, groupID },
      messages: new Map(), local: [], unread: 0, readSeq: 0, firstUnreadSeq: 0, isLoaded: false, isFinished: false, draft: '',
    });
  }
  const found = conversations.get(conversationID);
  if (info) found.info = info;
  return found;
}

async function loadConversations() {
  let nextSeq = '';
  for (let isFinished = false; !isFinished; ) {
    const page = await client.getConversationList({ nextSeq, withLastMessage: true });
    ({ nextSeq, isFinished } = page);
    for (const info of page.conversationList) {
      const found = conversation(info.conversationID, info);
      found.unread = found.isLoaded ? Math.min(info.unreadCount, unreadIn(found)) : info.unreadCount;
      if (info.lastMessage) noteLast(found, info.lastMessage);
    }
  }
  showConversations();
}

let reloadTimer = null;

/** The list once more, soon, for all that asks for it until then. */
function reloadConversations() {
  reloadTimer ??= setTimeout(() => {
    reloadTimer = null;
    loadConversations().catch(() => {}); // without a network: again after the reconnect
  }, RELOAD_MS);
}

function noteLast(found, message) {
  if (!found.last || message.seq === undefined || message.seq >= (found.last.seq ?? 0)) found.last = message;
}

let ranked = []; // the conversations as they are listed

function showConversations() {
  const at = (found) => found.last?.timestamp ?? 0;
  ranked = [...conversations.values()].sort((one, other) => at(other) - at(one));
  place(byID('conversations'), ranked.length ? ranked.map(conversationRow) : [element('li', { class: 'note' }, say('noConversations'))]);
  const unread = ranked.reduce((sum, found) => sum + found.unread, 0);
  document.title = `${unread ? `(${unread}) ` : ''}${say('title')}${client.userID ? ` · ${client.userID}` : ''}`;
}

function conversationRow(found) {
  const { conversationID, showName } = found.info;
  if (!found.row) {
    const parts = { name: element('bdi', { class: 'name' }), time: element('time'), preview: element('span', { class: 'preview', dir: 'auto' }) };
    parts.badge = element('span', { class: 'badge' });
    const lines = element('span', { class: 'lines' }, element('span', {}, parts.name, parts.time), element('span', {}, parts.preview, parts.badge));
    parts.button = element('button', { type: 'button', onclick: () => go(conversationID) }, (parts.avatar = avatar(showName)), lines);
    found.row = { ...parts, item: element('li', {}, parts.button) };
  }
  const { item, button, name, time, preview, badge } = found.row;
  write(name, showName);
  dressAvatar(found.row.avatar, showName);
  write(time, found.last ? shortTime(found.last.timestamp * 1000) : '');
  const sender = found.last?.isSelf ? say('you') : found.last?.sender;
  write(preview, !found.last ? '' : found.info.groupID ? say('heard', sender, textOf(found.last)) : textOf(found.last));
  badge.hidden = found.unread === 0 || (conversationID === openID && isInFront()); // that is being read
  const count = found.unread >= UNREAD_MAX ? '99+' : String(found.unread);
  if (badge.dataset.count !== count + currentLanguage()) {
    badge.dataset.count = count + currentLanguage();
    const digits = element('span', { 'aria-hidden': 'true' }, count);
    badge.replaceChildren(digits, element('span', { class: 'unseen' }, say('unreadBadge', count)));
  }
  if (conversationID === openID) button.setAttribute('aria-current', 'true');
  else button.removeAttribute('aria-current');
  return item;
}

// Which one is open: the address says it, so that the browser's own Back works.

const go = (conversationID) => (location.hash = conversationID ? `#/${encodeURIComponent(conversationID)}` : '#/');

function route() {
  if (!client) return;
  let wanted = decodeURIComponent(location.hash.slice(2)) || null;
  const isWide = matchMedia('(min-width: 721px)').matches;
  if (!wanted && isWide && !openID) wanted = ranked[0]?.info.conversationID;
  if (wanted !== openID) open(/^(c2c|group)_./.test(wanted ?? '') ? wanted : null);
}

async function open(conversationID) {
  if (openID) conversation(openID).draft = byID('text').value;
  panel?.close();
  openID = conversationID;
  thread.clear();
  byID('open').hidden = !openID;
  byID('nothing-open').hidden = Boolean(openID);
  showPane();
  if (openID) {
    const found = conversation(openID);
    byID('text').value = found.draft;
    fitText();
    showHeader(found);
    if (found.isLoaded) showFromUnread(found);
    if (!matchMedia('(pointer: coarse)').matches) byID('text').focus({ preventScroll: true });
    await load(found);
  }
  showConversations();
}

function showHeader({ info }) {
  write(byID('name'), info.showName);
  write(byID('about'), info.groupID ? (info.memberCount ? say('group', info.memberCount) : '') : say('direct'));
}

/** The newest page of a conversation. If it does not reach what was loaded before, that is let go. */
async function load(found) {
  const { conversationID } = found.info;
  if (found.isLoading) return;
  found.isLoading = true;
  try {
    const count = Math.min(HISTORY_COUNT_MAX, Math.max(HISTORY_COUNT, found.unread + 10));
    const page = await client.getHistoryMessageList({ conversationID, count }).catch((error) => {
      if (error.code === NO_SUCH_GROUP && found.info.userID) return { messageList: [], isFinished: true }; // nobody has written yet
      throw error;
    });
    const reaches = page.isFinished || page.messageList.some(({ msgID }) => found.messages.has(msgID));
    if (!reaches) dropUpTo(found, page.messageList[0].seq); // what has come since is not let go
    if (!reaches || page.isFinished) found.isFinished = page.isFinished;
    add(found, page.messageList);
    const isShown = found.isLoaded && reaches;
    found.isLoaded = true;
    if (conversationID === openID) isShown ? showThread() : showFromUnread(found);
    await client.getMessageReadReceipts(page.messageList);
  } catch {
    // Without a network: again after the reconnect.
  } finally {
    found.isLoading = false;
  }
}

async function loadOlder() {
  const found = openID && conversation(openID);
  if (!found || !found.isLoaded || found.isFinished || found.isLoading) return;
  found.isLoading = true;
  try {
    const lastMsgID = inOrder(found)[0].msgID;
    const page = await client.getHistoryMessageList({ conversationID: found.info.conversationID, count: HISTORY_COUNT, lastMsgID });
    found.isFinished = page.isFinished;
    add(found, page.messageList);
    if (found.info.conversationID === openID) showThread();
    await client.getMessageReadReceipts(page.messageList);
  } catch {
    // Scrolling asks again.
  } finally {
    found.isLoading = false;
  }
}

const inOrder = (found) => [...found.messages.values()].sort((one, other) => one.seq - other.seq);

function dropUpTo(found, seq) {
  for (const message of found.messages.values()) if (message.seq <= seq) found.messages.delete(message.msgID);
}

function add(found, messages) {
  for (const message of messages) {
    const known = found.messages.get(message.msgID);
    if (!known) found.messages.set(message.msgID, message);
    else if (message.isPeerRead) known.isPeerRead = true;
    noteLast(found, message);
  }
}

const unreadIn = (found) => [...found.messages.values()].filter(({ seq, isSelf }) => !isSelf && seq > found.readSeq).length;

/** Begin where the unread ones do: so many messages of others from the end. */
function showFromUnread(found) {
  const theirs = inOrder(found).filter(({ isSelf }) => !isSelf);
  const unread = theirs.slice(theirs.length - Math.min(found.unread, theirs.length));
  found.firstUnreadSeq = unread[0]?.seq ?? 0;
  found.readSeq = found.firstUnreadSeq ? found.firstUnreadSeq - 1 : (theirs.at(-1)?.seq ?? 0);
  showThread();
  thread.scrollToUnread();
}

function showThread() {
  if (!openID) return;
  const found = conversation(openID);
  if (found.isLoaded || found.local.length) thread.show([...inOrder(found), ...found.local], found);
}

// Reading and being read.

/** These are in view, and somebody may be looking. */
function seen(messages) {
  if (!openID) return;
  const found = conversation(openID);
  const seq = Math.max(...messages.map((message) => message.seq));
  client.sendMessageReadReceipts(messages, { alsoMarkRead: seq > found.readSeq });
  if (seq <= found.readSeq) return;
  found.readSeq = seq;
  found.unread = unreadIn(found);
  showConversations();
}

let changedSince = new Map();
let announceTimer = null;

/** Counts of the open conversation have changed: say so, at most about once in a second. */
function announceCounts(receipts) {
  for (const receipt of receipts) {
    const message = openID && conversation(openID).messages.get(receipt.msgID);
    if (message) changedSince.set(message.msgID, message);
  }
  if (changedSince.size === 0) return;
  announceTimer ??= setTimeout(() => {
    announceTimer = null;
    const [message] = changedSince.values();
    const state = () => statusOf(message, client.receiptOf(message.msgID), settings).text;
    announce(changedSince.size > 1 ? say('countedMany', changedSince.size) : say('counted', excerpt(textOf(message)), state()));
    changedSince = new Map();
  }, ANNOUNCE_MS);
}

function wireClient() {
  client.on('onConnecting', showConnection);
  client.on('onConnectFailed', () => {
    isLost = true;
    showConnection();
  });
  client.on('onConnectSuccess', () => {
    if (isLost || !knowsSettings) client.getSettings().then(applySettings, () => {});
    isLost = false;
    showConnection();
    reloadConversations(); // of what is not followed, the list says what was missed
    if (openID && !conversation(openID).isLoaded) load(conversation(openID));
  });
  client.on('onUserSigExpired', () => {
    isExpired = true;
    showConnection();
    if (conversations.size === 0) askForToken(say('bannerExpired'));
  });
  client.on('onRecvNewMessage', receive);
  client.on('onHistoryGap', ({ conversationID }) => {
    const found = conversation(conversationID);
    found.messages.clear();
    found.isFinished = false;
  });
  client.on('onRecvMessageReadReceipts', (receipts) => {
    showThread();
    announceCounts(receipts);
    if (receipts.some(({ msgID }) => msgID === panel?.message?.msgID)) panel.changed();
  });
  client.on('onRecvC2CReadReceipt', (receipts) => {
    for (const { userID, timestamp } of receipts) {
      for (const message of conversation(`c2c_${userID}`).messages.values()) {
        if (message.isSelf && message.timestamp <= timestamp && !message.withheld) message.isPeerRead = true;
      }
    }
    showThread();
  });
  client.on('onConversationRead', ({ conversationID, lastReadSeq }) => {
    const found = conversation(conversationID);
    found.readSeq = Math.max(found.readSeq, lastReadSeq);
    if (lastReadSeq >= (found.last?.seq ?? 0)) found.unread = 0;
    else if (found.isLoaded) found.unread = unreadIn(found);
    else reloadConversations();
    showConversations();
  });
  client.on('onMessageStatusChanged', (message) => {
    const found = conversation(conversationIDOf(message));
    if (message.status === 'success') {
      found.local = found.local.filter((each) => each !== message);
      found.messages.set(message.msgID, message);
      noteLast(found, message);
    }
    showThread();
    showConversations();
  });
}

function receive(message) {
  const conversationID = conversationIDOf(message);
  const isNew = !conversations.has(conversationID);
  const found = conversation(conversationID);
  if (found.messages.has(message.msgID)) return;
  const isOpen = conversationID === openID;
  if (found.isLoaded || isOpen) found.messages.set(message.msgID, message);
  noteLast(found, message);
  if (found.messages.size > KEPT_MAX && !(isOpen && thread.isAway)) {
    dropUpTo(found, inOrder(found)[KEPT_MAX / 2].seq);
    found.isFinished = false;
  }
  if (!message.isSelf && message.seq > found.readSeq) found.unread = Math.min(found.unread + 1, UNREAD_MAX);
  if (isNew) reloadConversations();
  if (isOpen) {
    if (!message.isSelf) {
      announce(say('heard', message.sender, excerpt(textOf(message), 200)));
      thread.came();
      if (!isInFront() && !found.firstUnreadSeq) found.firstUnreadSeq = message.seq;
    }
    showThread();
  }
  showConversations();
}

// What the user does besides.

function wirePage() {
  const text = byID('text');
  byID('composer').addEventListener('submit', (event) => {
    event.preventDefault();
    send();
  });
  text.addEventListener('input', fitText);
  text.addEventListener('keydown', (event) => {
    // While a Chinese word is being composed, Enter is the input method's.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    send();
  });
  byID('ask-receipt').checked = device.get('read-receipts.ask') !== 'no';
  byID('ask-receipt').addEventListener('change', ({ target }) => device.set('read-receipts.ask', target.checked ? 'yes' : 'no'));
  byID('back').addEventListener('click', () => go(null));
  byID('privacy').addEventListener('change', async ({ target }) => {
    target.disabled = true;
    applySettings(await client.setSettings({ readReceipts: target.checked }).catch(() => settings));
    if (settings.readReceipts && openID) await client.getMessageReadReceipts(inOrder(conversation(openID))).catch(() => {});
    showThread();
  });
  byID('language').addEventListener('change', async ({ target }) => {
    device.set('read-receipts.language', target.value);
    await speak(target.value);
    applySettings(settings);
    showConnection();
    showConversations();
    if (openID) showHeader(conversation(openID));
    thread.clear();
    showThread();
    panel?.close();
  });
  byID('conversations').addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...byID('conversations').querySelectorAll('button')];
    buttons[buttons.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  });
  for (const event of ['online', 'offline', 'pageshow']) window.addEventListener(event, () => client.wakeUp());
  document.addEventListener('visibilitychange', () => (document.hidden ? client.flush() : client.wakeUp()));
  byID('new-chat').addEventListener('click', openNewChat);
}

function fitText() {
  const text = byID('text');
  text.style.height = 'auto';
  text.style.height = `${text.scrollHeight}px`;
}

function send() {
  const text = byID('text');
  if (!text.value.trim() || !openID) return;
  const found = conversation(openID);
  const { userID, groupID } = found.info;
  const to = groupID ? { groupID } : { userID };
  const message = client.createTextMessage({ ...to, text: text.value, needReadReceipt: byID('ask-receipt').checked && settings.readReceipts });
  text.value = '';
  fitText();
  found.local.push(message);
  found.firstUnreadSeq = 0;
  noteLast(found, message);
  client.sendMessage(message).catch((error) => {
    message.status = 'fail';
    announce(`${say('failed')}: ${error.desc}`);
    showThread();
  });
  showThread();
  thread.scrollToEnd();
  showConversations();
}

async function openNewChat() {
  const { askWithWhom } = await import('./newchat.js');
  const conversationID = await askWithWhom(client);
  if (!conversationID) return;
  if (conversationID.startsWith('group_')) await loadConversations().catch(() => {});
  conversation(conversationID);
  go(conversationID);
}

function applySettings(now) {
  settings = now;
  knowsSettings = true;
  const isForced = settings.readReceipts && !settings.mayTurnReceiptsOff;
  byID('privacy').checked = settings.readReceipts;
  byID('privacy').disabled = isForced;
  write(byID('privacy-hint'), say(isForced ? 'privacyForced' : settings.readReceipts ? 'privacyOn' : 'privacyOff'));
  byID('ask-receipt').disabled = !settings.readReceipts;
  showThread();
}

function showConnection() {
  const state = isExpired ? 'expired' : client.connectionState;
  byID('connection').dataset.state = state;
  write(byID('connection').firstChild, say(state));
  const banner = byID('banner');
  banner.hidden = !isLost && !isExpired;
  write(banner, say(isExpired ? 'bannerExpired' : 'bannerOffline'));
  showThread();
}

/** On a phone one pane at a time: the list, the conversation, or a message's details. */
function showPane() {
  document.body.dataset.pane = panel?.message ? 'panel' : openID ? 'chat' : 'list';
}

await start();
