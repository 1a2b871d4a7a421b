/**
 * A client of the read-receipt service, for browsers, Node and whatever else has `fetch` and `WebSocket`.
 *
 * Names are V2TIM's. It keeps three promises by itself, so that its user need not:
 *
 * - Nothing is missed. After every reconnect it asks what it has not heard, and says so by the same events.
 * - Nothing goes back. Receipts are merged by maximum, so late and repeated frames are harmless.
 * - Nothing is lost on the way out. Messages and receipts wait for the network, and are repeated under the same name.
 *
 * Types and the description of every call are in client.d.ts.
 */

/** The most msgIDs that the service takes in one call. */
export const MSG_IDS_PER_CALL_MAX = 100;

/** What a conversation's reader does within this time becomes one call. */
export const GATHERING_MS = 200;

/** Messages that may wait for the network; one more is refused at once. */
export const OUTBOX_MAX = 200;

// Receipts and acknowledgements that are remembered. A client that shows more asks again, which does no harm.
const REMEMBERED_MAX = 10_000;
// Conversations whose messages are caught up after a reconnect: those that were looked at last.
const FOLLOWED_MAX = 20;
// Pages of one catch-up. A week's worth of changes of the busiest sender is less.
const CATCH_UP_PAGES_MAX = 1_000;
const PAGE_SIZE_MAX = 100;

const CALL_TIMEOUT_MS = 30_000; // API Gateway answers, or gives up, within 29 s
const CONNECT_TIMEOUT_MS = 15_000;
const PING_EVERY_MS = 4 * 60_000; // API Gateway ends sockets that are silent for ten minutes
const PONG_TIMEOUT_MS = 5_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 30_000;
const STABLE_MS = 10_000; // a socket that lived for so long was a good one: the next retry is the first again

const SERVER_ERROR = 10002;
const RECEIPTS_TURNED_OFF = 45006;

/** A refusal: the service's code and its sentence. Code 0 means that no answer came, or none of the service. */
export class ChatError extends Error {
  constructor(code, desc, httpStatus = 0) {
    super(desc);
    this.name = 'ChatError';
    this.code = code;
    this.desc = desc;
    this.httpStatus = httpStatus;
  }

  /** Whether the same call may well succeed later: no answer, the server's own failure, or too much at once. */
  get isTransient() {
    return this.httpStatus === 0 || this.httpStatus >= 500 || this.httpStatus === 429 || this.httpStatus === 408;
  }

  /** Whether it is the token that is refused, so that no call at all can succeed. */
  get isAboutToken() {
    return this.httpStatus === 401;
  }
}

/** The conversation that a message is in, as this user calls it. */
export function conversationIDOf(message) {
  return message.groupID ? `group_${message.groupID}` : `c2c_${message.userID}`;
}

/** What is known of a message's reading after a receipt has come: the very same object if that said nothing new. */
export function mergeReceipt(known, receipt) {
  if (!known) return receipt;
  const merged = {
    ...receipt,
    isPeerRead: known.isPeerRead || receipt.isPeerRead,
    timestamp: known.timestamp || receipt.timestamp, // the first reading counts
    readCount: Math.max(known.readCount, receipt.readCount),
    unreadCount: Math.min(known.unreadCount, receipt.unreadCount),
  };
  return Object.keys(merged).every((name) => merged[name] === known[name]) ? known : merged;
}

export class ChatClient {
  #options;
  #listeners = new Map();
  #base;

  constructor(options) {
    this.#options = {
      sdkVersion: '',
      storage: null,
      isOnline: () => globalThis.navigator?.onLine !== false,
      fetch: (...request) => globalThis.fetch(...request),
      WebSocket: globalThis.WebSocket,
      setTimeout: (...timer) => globalThis.setTimeout(...timer),
      clearTimeout: (timer) => globalThis.clearTimeout(timer),
      now: () => Date.now(),
      random: () => Math.random(),
      randomID: () => globalThis.crypto.randomUUID(),
      ...options,
    };
    this.#base = this.#options.http.replace(/\/$/, '');
    this.userID = this.#options.userID || userIDIn(this.#options.token);
    this.#restoreOutbox();
  }

  // Events.

  on(event, listener) {
    if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
    this.#listeners.get(event).add(listener);
    return () => this.off(event, listener);
  }

  off(event, listener) {
    this.#listeners.get(event)?.delete(listener);
  }

  #emit(event, ...what) {
    for (const listener of [...(this.#listeners.get(event) ?? [])]) {
      try {
        listener(...what);
      } catch (error) {
        // One listener's failure is its own: the others hear, and whoever watches for errors sees it.
        this.#options.setTimeout(() => {
          throw error;
        }, 0);
      }
    }
  }

  // The connection: one socket, opened again whenever it ends, and caught up before it counts as connected.

  /** 'disconnected', 'connecting' or 'connected'. */
  connectionState = 'disconnected';

  #wanted = false;
  #isStopped = false;
  #socket = null;
  #openedAt = 0;
  #failures = 0;
  #pings = 0;
  #refusedToken = null;

  connect() {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#isStopped = false;
    this.#failures = 0;
    this.#open();
    this.#hurry();
  }

  /** No socket and no tries any more. What waits to be sent goes on waiting, for `connect`. */
  close() {
    this.#wanted = false;
    this.#isStopped = true;
    this.#drop();
    for (const name of [...this.#timers.keys()]) this.#cancel(name);
    this.#setState('disconnected');
  }

  /** The network, or the machine, may just have come back, or gone: find out now instead of in a while. */
  wakeUp() {
    if (!this.#wanted) return;
    if (!this.#options.isOnline()) {
      if (this.#socket) this.#lost(new ChatError(0, 'The network is gone.'));
      return;
    }
    if (!this.#socket) {
      this.#failures = 0;
      this.#open();
    } else if (this.#socket.readyState === 1) {
      this.#ping();
    }
    this.#hurry();
  }

  /** A new token, for when the old one has expired. */
  setToken(token) {
    this.#options.token = token;
    this.connect();
  }

  #open() {
    this.#cancel('reconnect');
    this.#setState('connecting');
    const { token, sdkVersion, webSocket, WebSocket } = this.#options;
    const query = new URLSearchParams({ token, ...(sdkVersion && { sdkVersion }) });
    const socket = new WebSocket(`${webSocket}?${query}`);
    this.#socket = socket;
    let hasOpened = false;
    const lost = (why) => {
      if (this.#socket === socket) this.#lost(new ChatError(0, why), !hasOpened);
    };
    this.#after('socket', CONNECT_TIMEOUT_MS, () => lost('The handshake took too long.'));
    socket.onopen = () => {
      hasOpened = true;
      this.#openedAt = this.#options.now();
      this.#after('socket', PING_EVERY_MS, () => this.#ping());
      this.#catchUp(socket);
      this.#hurry();
    };
    socket.onmessage = (frame) => this.#hear(frame.data);
    socket.onerror = () => lost('The socket failed.');
    socket.onclose = () => lost('The socket was closed.');
  }

  /** Let go of the socket without waiting for its last words. */
  #drop() {
    this.#cancel('socket');
    this.#cancel('pong');
    const socket = this.#socket;
    this.#socket = null;
    if (!socket) return;
    socket.onopen = socket.onmessage = socket.onerror = socket.onclose = null;
    socket.close();
  }

  #lost(error, wasHandshake = false) {
    if (!wasHandshake && this.#options.now() - this.#openedAt >= STABLE_MS) this.#failures = 0;
    this.#drop();
    this.#setState('disconnected', error);
    this.#after('reconnect', this.#backoff(this.#failures++), () => this.#open());
    // A handshake does not say why it was refused. A call does.
    if (wasHandshake) this.getSettings().catch(() => {});
  }

  /** Doubled each time up to half a minute, and anything between half of that and all of it: jitter. */
  #backoff(failures) {
    const longest = Math.min(RETRY_MAX_MS, RETRY_FIRST_MS * 2 ** Math.min(failures, 10));
    return (longest / 2) * (1 + this.#options.random());
  }

  #setState(state, error) {
    if (this.connectionState === state) return;
    this.connectionState = state;
    if (state === 'connecting') this.#emit('onConnecting');
    if (state === 'connected') this.#emit('onConnectSuccess');
    if (state === 'disconnected') this.#emit('onConnectFailed', error ?? new ChatError(0, 'Closed.'));
  }

  #ping() {
    this.#socket.send(JSON.stringify({ action: 'ping', requestID: `ping-${++this.#pings}` }));
    this.#after('socket', PING_EVERY_MS, () => this.#ping());
    if (!this.#timers.has('pong')) {
      this.#after('pong', PONG_TIMEOUT_MS, () => this.#lost(new ChatError(0, 'The socket is dead.')));
    }
  }

  #hear(text) {
    this.#cancel('pong'); // whatever comes is a sign of life
    const { event, message, receiptList, ...mark } = JSON.parse(text);
    if (event === 'onRecvNewMessage') this.#receive(message);
    else if (event === 'onRecvMessageReadReceipts') this.#merge(receiptList);
    else if (event === 'onRecvC2CReadReceipt') this.#emit(event, receiptList);
    else if (event === 'onConversationRead') this.#emit(event, mark);
    // Else it is the answer to a ping, or what a later service says.
  }

  // Timers, by name: at most one of each.

  #timers = new Map();

  #after(name, ms, act) {
    this.#cancel(name);
    const timer = this.#options.setTimeout(() => {
      this.#timers.delete(name);
      act();
    }, ms);
    this.#timers.set(name, timer);
  }

  /** Whether there was one. */
  #cancel(name) {
    this.#options.clearTimeout(this.#timers.get(name));
    return this.#timers.delete(name);
  }

  // Catching up.

  #cursor = ''; // of the changes of own messages' receipts
  #ownMessages = new Map(); // by msgID, the oldest first
  #newestSeq = new Map(); // of each followed conversation, the least recently looked at first

  /** Ask for all that was said while there was no socket. Only then it counts as connected. */
  async #catchUp(socket) {
    const heard = new Map(this.#newestSeq); // before this socket says anything
    for (let failures = 0; this.#socket === socket; failures++) {
      try {
        await Promise.all([this.#catchUpReceipts(), ...[...heard].map((each) => this.#catchUpMessages(...each))]);
        if (this.#socket === socket) this.#setState('connected');
        return;
      } catch (error) {
        if (error.isAboutToken) return;
        await new Promise((resolve) => this.#options.setTimeout(resolve, this.#backoff(failures)));
      }
    }
  }

  async #catchUpReceipts() {
    const isBeginning = !this.#cursor;
    for (let page = 0; page < CATCH_UP_PAGES_MAX; page++) {
      let changes;
      try {
        changes = await this.#call('GET', `/read-receipts/changes?${new URLSearchParams({ since: this.#cursor })}`);
      } catch (error) {
        if (error.isTransient || error.isAboutToken) throw error;
        // Turned off (45006) or not bought (7013): there is nothing to catch up, now or since.
        this.#cursor = '';
        return;
      }
      this.#cursor = changes.cursor;
      this.#merge(changes.receiptList);
      // Where there is nothing to go on from, or it is older than what is kept, all that is shown is asked for.
      if (isBeginning || !changes.isComplete) await this.getMessageReadReceipts([...this.#ownMessages.values()]);
      if (changes.isFinished) return;
    }
  }

  async #catchUpMessages(conversationID, newestSeq) {
    let page;
    try {
      page = await this.#historyPage(conversationID, PAGE_SIZE_MAX);
    } catch (error) {
      if (error.isTransient || error.isAboutToken) throw error;
      this.#newestSeq.delete(conversationID); // no longer a member, say
      return;
    }
    const missed = page.messageList.filter((message) => message.seq > newestSeq);
    if (missed.length === page.messageList.length && !page.isFinished) {
      this.#emit('onHistoryGap', { conversationID }); // more than a page: what is between, its user pages in
    }
    for (const message of missed.reverse()) this.#receive(message);
  }

  /** Own messages whose receipts somebody may be looking at. */
  #noteOwn(message) {
    if (!message.isSelf || !message.needReadReceipt) return;
    this.#ownMessages.set(message.msgID, message);
    shrink(this.#ownMessages, REMEMBERED_MAX);
  }

  #follow(conversationID, seq) {
    const newest = Math.max(seq, this.#newestSeq.get(conversationID) ?? 0);
    this.#newestSeq.delete(conversationID);
    this.#newestSeq.set(conversationID, newest);
    shrink(this.#newestSeq, FOLLOWED_MAX);
  }

  #receive(message) {
    const conversationID = conversationIDOf(message);
    this.#noteOwn(message);
    if (this.#newestSeq.has(conversationID)) {
      this.#newestSeq.set(conversationID, Math.max(message.seq, this.#newestSeq.get(conversationID)));
    }
    // The echo of what is being sent may overtake its answer. Until that names it, it cannot be told from a message
    // that another device has sent.
    if (message.isSelf && this.#sending && conversationIDOf(this.#sending) === conversationID) {
      this.#echoes.push(message);
    } else {
      this.#emit('onRecvNewMessage', message);
    }
  }

  // Sending: a queue, one at a time, so that messages arrive in the order they were written in.

  #outbox = []; // {message, resolve, reject}
  #sending = null;
  #echoes = [];

  /** Messages that wait for the network, in order. */
  get pendingMessages() {
    return this.#outbox.map(({ message }) => message);
  }

  createTextMessage(content) {
    return this.#createMessage(content);
  }

  createCustomMessage(content) {
    return this.#createMessage(content);
  }

  #createMessage(content) {
    return {
      needReadReceipt: false,
      ...content,
      clientMsgID: this.#options.randomID(),
      sender: this.userID,
      isSelf: true,
      timestamp: Math.floor(this.#options.now() / 1000),
      status: 'unSend',
    };
  }

  sendMessage(message) {
    if (this.#outbox.length >= OUTBOX_MAX) {
      return Promise.reject(new ChatError(0, `No more than ${OUTBOX_MAX} messages may wait.`));
    }
    message.status = 'unSend';
    const sent = new Promise((resolve, reject) => this.#outbox.push({ message, resolve, reject }));
    this.#keepOutbox();
    this.#sendNext();
    return sent;
  }

  /** What was refused, once more, under the same clientMsgID: should it have arrived after all, it is not said twice. */
  resendMessage(message) {
    return this.sendMessage(message);
  }

  async #sendNext(failures = 0) {
    if (this.#sending || this.#timers.has('send') || this.#outbox.length === 0) return;
    const { message, resolve, reject } = this.#outbox[0];
    this.#sending = message;
    let error = null;
    try {
      const { userID, groupID, text, data, needReadReceipt, clientMsgID } = message;
      const answer = await this.#call('POST', '/messages', { userID, groupID, text, data, needReadReceipt, clientMsgID });
      Object.assign(message, answer, { status: 'success' });
      this.#noteOwn(message);
    } catch (caught) {
      error = caught;
    }
    this.#sending = null;
    if (error?.isTransient || error?.isAboutToken) {
      this.#hearEchoes();
      if (error.isTransient && !this.#isStopped) {
        this.#after('send', this.#backoff(failures), () => this.#sendNext(failures + 1));
      }
      return;
    }
    this.#outbox.shift();
    this.#keepOutbox();
    if (error) {
      message.status = 'fail';
      reject(error);
    } else {
      resolve(message);
    }
    this.#emit('onMessageStatusChanged', message, error);
    this.#hearEchoes(message.msgID);
    this.#sendNext();
  }

  #hearEchoes(ownMsgID) {
    for (const echo of this.#echoes.splice(0)) {
      if (echo.msgID !== ownMsgID) this.#emit('onRecvNewMessage', echo);
    }
  }

  #keepOutbox() {
    try {
      this.#options.storage?.setItem(this.#outboxKey, JSON.stringify(this.pendingMessages));
    } catch {
      // Storage may be full or forbidden. Then the queue lives as long as the page does.
    }
  }

  #restoreOutbox() {
    let kept = [];
    try {
      kept = JSON.parse(this.#options.storage?.getItem(this.#outboxKey) ?? '[]');
    } catch {
      // As above.
    }
    const nobodyWaits = () => {};
    this.#outbox = kept.map((message) => ({ message, resolve: nobodyWaits, reject: nobodyWaits }));
  }

  get #outboxKey() {
    return `read-receipts.outbox.${this.userID}`;
  }

  /** What waits for its next try need not wait any longer. */
  #hurry() {
    this.#cancel('send');
    this.#sendNext();
    if (this.#gathered.size > 0) this.#flushLater(GATHERING_MS);
  }

  // Receipts: sending them.

  #gathered = new Map(); // conversationID → {messages: Map by msgID, newest: the one to mark read up to}
  #awaited = new Map(); // msgID → {result, resolve}: gathered or on their way
  #flushing = null; // the promise of what is being sent
  #acknowledged = new Map(); // msgID → true, the oldest first

  /**
   * Messages that have been seen. Those that ask for no receipt, or are one's own, or were acknowledged before, cost
   * nothing; the rest of the next 200 ms go out together.
   */
  sendMessageReadReceipts(messages, { alsoMarkRead = false } = {}) {
    const results = [];
    for (const message of messages) {
      if (message.isSelf) continue;
      const isAwaited = this.#awaited.has(message.msgID);
      const isWanted = message.needReadReceipt && !isAwaited && !this.#acknowledged.has(message.msgID);
      if (isAwaited) results.push(this.#awaited.get(message.msgID).result);
      if (!isWanted && !alsoMarkRead) continue;
      const conversationID = conversationIDOf(message);
      if (!this.#gathered.has(conversationID)) {
        this.#gathered.set(conversationID, { messages: new Map(), newest: null });
      }
      const gathered = this.#gathered.get(conversationID);
      if (isWanted) {
        gathered.messages.set(message.msgID, message);
        const awaited = {};
        awaited.result = new Promise((resolve) => (awaited.resolve = resolve));
        this.#awaited.set(message.msgID, awaited);
        results.push(awaited.result);
      }
      if (alsoMarkRead && message.seq > (gathered.newest?.seq ?? 0)) gathered.newest = message;
    }
    if (this.#gathered.size > 0 && !this.#timers.has('flush')) this.#flushLater(GATHERING_MS);
    return Promise.all(results);
  }

  /** Send what has been gathered at once: the page is about to go. */
  async flush() {
    await this.#flushing;
    this.#cancel('flush');
    await this.#flush();
  }

  #flushLater(ms, failures = 0) {
    this.#after('flush', ms, () => this.#flush(failures));
  }

  #flush(failures = 0) {
    this.#flushing ??= this.#flushAll(failures).finally(() => (this.#flushing = null)); // what has come since goes out after it
    return this.#flushing;
  }

  async #flushAll(failures) {
    let isAllTaken = true;
    for (const [conversationID, gathered] of [...this.#gathered]) {
      this.#gathered.delete(conversationID);
      try {
        await this.#acknowledge(conversationID, gathered);
      } catch (error) {
        if (error.isTransient || error.isAboutToken) {
          this.#putBack(conversationID, gathered);
          isAllTaken = false;
        } else {
          for (const msgID of gathered.messages.keys()) this.#settle({ msgID, code: error.code, desc: error.desc });
        }
      }
    }
    if (this.#gathered.size === 0 || this.#isStopped) return;
    if (isAllTaken) this.#flushLater(GATHERING_MS);
    else this.#flushLater(this.#backoff(failures), failures + 1);
  }

  /** One conversation's gathered receipts, oldest first, at most a hundred a call. What was answered is taken out. */
  async #acknowledge(conversationID, gathered) {
    const inOrder = [...gathered.messages.values()].sort((one, other) => one.seq - other.seq);
    for (let first = 0; first < inOrder.length; first += MSG_IDS_PER_CALL_MAX) {
      const msgIDs = inOrder.slice(first, first + MSG_IDS_PER_CALL_MAX).map((message) => message.msgID);
      const alsoMarkRead = gathered.newest !== null && msgIDs.includes(gathered.newest.msgID);
      const answer = await this.#call('POST', '/read-receipts', { msgIDs, alsoMarkRead }, { keepalive: true });
      if (alsoMarkRead) gathered.newest = null;
      for (const result of answer.resultList) {
        if (result.code === SERVER_ERROR) continue; // to be said again
        this.#acknowledged.set(result.msgID, true);
        gathered.messages.delete(result.msgID);
        this.#settle(result);
      }
    }
    shrink(this.#acknowledged, REMEMBERED_MAX);
    if (gathered.newest) {
      await this.cleanConversationUnreadMessageCount(conversationID, gathered.newest.msgID);
      gathered.newest = null;
    }
    if (gathered.messages.size > 0) throw new ChatError(SERVER_ERROR, 'Some were not taken.', 500);
  }

  /** Tell those who wait for a message's receipt what became of it. */
  #settle(result) {
    this.#awaited.get(result.msgID)?.resolve(result);
    this.#awaited.delete(result.msgID);
  }

  #putBack(conversationID, gathered) {
    const since = this.#gathered.get(conversationID);
    if (since) {
      for (const [msgID, message] of since.messages) gathered.messages.set(msgID, message);
      if ((since.newest?.seq ?? 0) > (gathered.newest?.seq ?? 0)) gathered.newest = since.newest;
    }
    this.#gathered.set(conversationID, gathered);
  }

  // Receipts: hearing of them.

  #receipts = new Map(); // msgID → the merged receipt, the least recently changed first

  /** What is known of an own message's reading, without asking. */
  receiptOf(msgID) {
    return this.#receipts.get(msgID);
  }

  #merge(receipts) {
    const changed = [];
    for (const receipt of receipts) {
      const known = this.#receipts.get(receipt.msgID);
      const merged = mergeReceipt(known, receipt);
      if (merged === known) continue;
      this.#receipts.delete(receipt.msgID);
      this.#receipts.set(receipt.msgID, merged);
      changed.push(merged);
    }
    shrink(this.#receipts, REMEMBERED_MAX);
    if (changed.length > 0) this.#emit('onRecvMessageReadReceipts', changed);
  }

  async getMessageReadReceipts(messages) {
    const asked = messages.filter((message) => message.isSelf && message.needReadReceipt && message.msgID);
    const byConversation = new Map();
    for (const message of asked) {
      const conversationID = conversationIDOf(message);
      byConversation.set(conversationID, [...(byConversation.get(conversationID) ?? []), message.msgID]);
    }
    for (const msgIDs of byConversation.values()) {
      for (let first = 0; first < msgIDs.length; first += MSG_IDS_PER_CALL_MAX) {
        const page = msgIDs.slice(first, first + MSG_IDS_PER_CALL_MAX);
        try {
          this.#merge((await this.#call('POST', '/read-receipts/query', { msgIDs: page })).receiptList);
        } catch (error) {
          if (error.code !== RECEIPTS_TURNED_OFF) throw error; // who sends none sees none: there are none to show
        }
      }
    }
    return asked.map((message) => this.#receipts.get(message.msgID)).filter(Boolean);
  }

  getGroupMessageReadMemberList(message, filter = 'read', nextSeq = 0, count = PAGE_SIZE_MAX) {
    const query = new URLSearchParams({ filter, nextSeq, count });
    return this.#call('GET', `/messages/${encodeURIComponent(message.msgID)}/read-members?${query}`);
  }

  // Conversations, groups and settings: a call each.

  getConversationList({ nextSeq = '', count = PAGE_SIZE_MAX, withLastMessage = false } = {}) {
    const query = new URLSearchParams({ nextSeq, count, ...(withLastMessage && { withLastMessage }) });
    return this.#call('GET', `/conversations?${query}`);
  }

  async getHistoryMessageList({ conversationID, count = 20, lastMsgID }) {
    const page = await this.#historyPage(conversationID, count, lastMsgID);
    for (const message of page.messageList) this.#noteOwn(message);
    this.#follow(conversationID, page.messageList[0]?.seq ?? 0);
    return page;
  }

  #historyPage(conversationID, count, lastMsgID) {
    const query = new URLSearchParams({ count, ...(lastMsgID && { lastMsgID }) });
    return this.#call('GET', `/conversations/${encodeURIComponent(conversationID)}/messages?${query}`);
  }

  cleanConversationUnreadMessageCount(conversationID, msgID) {
    const path = `/conversations/${encodeURIComponent(conversationID)}/read`;
    return this.#call('POST', path, { msgID }, { keepalive: true });
  }

  createGroup({ groupType, groupID, name, memberList }) {
    return this.#call('POST', '/groups', { groupType, groupID, name, memberList });
  }

  getGroupMemberList(groupID, { nextSeq = 0, count = PAGE_SIZE_MAX } = {}) {
    return this.#call('GET', `/groups/${encodeURIComponent(groupID)}/members?${new URLSearchParams({ nextSeq, count })}`);
  }

  getSettings() {
    return this.#call('GET', '/settings');
  }

  async setSettings({ readReceipts }) {
    await this.flush(); // what was read before, was read under the switch as it was
    return this.#call('PUT', '/settings', { readReceipts });
  }

  /** One HTTP call. Throws a ChatError for whatever is not a 200 of the service. */
  async #call(method, path, body, { keepalive = false } = {}) {
    const { token, sdkVersion, fetch } = this.#options;
    const abort = new AbortController();
    const timer = this.#options.setTimeout(() => abort.abort(), CALL_TIMEOUT_MS);
    let error;
    try {
      const response = await fetch(this.#base + path, {
        method,
        headers: {
          Authorization: `Bearer ${token}`,
          ...(sdkVersion && { 'X-SDK-Version': sdkVersion }),
          ...(body && { 'Content-Type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
        cache: 'no-store',
        credentials: 'omit',
        keepalive,
        signal: abort.signal,
      });
      const answer = await response.json().catch(() => null);
      if (response.ok && answer !== null) return answer;
      error = new ChatError(answer?.code ?? 0, answer?.desc ?? `HTTP ${response.status}`, response.ok ? 0 : response.status);
    } catch (cause) {
      error = new ChatError(0, String(cause?.message ?? cause));
    } finally {
      this.#options.clearTimeout(timer);
    }
    // A token that was replaced in the meantime is nobody's business any more.
    if (error.isAboutToken && token === this.#options.token) this.#tokenRefused(error);
    throw error;
  }

  /** Trying again would be refused again: stop, and say so. `setToken` goes on from there. */
  #tokenRefused(error) {
    if (this.#refusedToken === this.#options.token) return;
    this.#refusedToken = this.#options.token;
    this.close();
    this.#emit('onUserSigExpired', error);
  }
}

/** Forget the oldest entries beyond so many. */
function shrink(map, size) {
  for (const key of map.keys()) {
    if (map.size <= size) return;
    map.delete(key);
  }
}

/** Whose token it is, where it is a JWT: others do not say it so that one could read it. */
function userIDIn(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/'))).sub ?? '';
  } catch {
    return '';
  }
}
