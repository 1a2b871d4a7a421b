// The client on its own, under Node, on fakes of the network and of time: `node --test tests/e2e/browser/client.test.mjs`.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { beforeEach, test } from 'node:test';

import { ChatClient, ChatError, conversationIDOf, mergeReceipt } from '../../../chalicelib/page/client.js';

// Fakes with visible state: time that passes when told, sockets that say what they are told, and a service whose
// answers are given by path.

class Time {
  now = 1_700_000_000_000;
  #timers = [];

  setTimeout = (act, ms) => {
    const timer = { act, at: this.now + ms };
    this.#timers.push(timer);
    return timer;
  };

  clearTimeout = (timer) => {
    this.#timers = this.#timers.filter((each) => each !== timer);
  };

  /** Let so much time pass, and everything happen that happens in it. */
  async passes(ms) {
    const end = this.now + ms;
    for (;;) {
      await quiet();
      const next = this.#timers.filter(({ at }) => at <= end).sort((one, other) => one.at - other.at)[0];
      if (!next) break;
      this.clearTimeout(next);
      this.now = Math.max(this.now, next.at);
      next.act();
    }
    this.now = end;
  }
}

/** Until all promises that can be kept have been. */
const quiet = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));

class Socket {
  static all = [];
  readyState = 0;
  sent = [];
  isClosed = false;

  constructor(url) {
    this.url = new URL(url);
    Socket.all.push(this);
  }

  static get last() {
    return Socket.all.at(-1);
  }

  opens() {
    this.readyState = 1;
    this.onopen();
  }

  says(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  dies() {
    this.readyState = 3;
    this.onclose?.();
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.isClosed = true;
  }
}

class Service {
  calls = [];
  isReachable = true;
  answers = {
    'GET /read-receipts/changes': () => ({ receiptList: [], cursor: 'cursor', isFinished: true, isComplete: true }),
    'POST /read-receipts': ({ msgIDs }) => ({ resultList: msgIDs.map((msgID) => ({ msgID, code: 0, desc: 'OK' })) }),
    'POST /messages': (message) => this.#takes(message),
    'GET /settings': () => ({ readReceipts: true, mayTurnReceiptsOff: true }),
  };
  #messages = new Map();

  fetch = async (url, { method, body, headers }) => {
    if (!this.isReachable) throw new TypeError('fetch failed');
    const { pathname, searchParams } = new URL(url);
    const path = pathname.replace('/api/v1', '');
    const call = { method, path, query: Object.fromEntries(searchParams), body: body && JSON.parse(body), headers };
    this.calls.push(call);
    const answer = await this.answers[`${method} ${path}`](call.body ?? call.query, call);
    const [status, shown] = answer instanceof Refusal ? [answer.status, answer] : [200, answer];
    return { ok: status === 200, status, json: async () => shown };
  };

  made(method, path) {
    return this.calls.filter((call) => call.method === method && call.path === path);
  }

  /** A repeated send under the same clientMsgID answers with the first message. */
  #takes({ clientMsgID, ...message }) {
    if (!this.#messages.has(clientMsgID)) {
      const seq = this.#messages.size + 1;
      this.#messages.set(clientMsgID, { ...message, msgID: `m${seq}`, seq, timestamp: 1, sender: 'alice', isSelf: true });
    }
    return this.#messages.get(clientMsgID);
  }
}

class Refusal {
  constructor(status, code, desc = 'No.') {
    Object.assign(this, { status, code, desc });
  }
}

class Storage {
  #kept = new Map();
  getItem = (key) => this.#kept.get(key) ?? null;
  setItem = (key, value) => this.#kept.set(key, value);
}

let time, service, isOnline;

beforeEach(() => {
  time = new Time();
  service = new Service();
  isOnline = true;
  Socket.all = [];
});

function newClient(options = {}) {
  const ids = (function* () {
    for (let number = 1; ; number++) yield `id-${number}`;
  })();
  const client = new ChatClient({
    http: 'https://chat.example/api/v1',
    webSocket: 'wss://sockets.example/api',
    token: 'token',
    userID: 'alice',
    fetch: service.fetch,
    WebSocket: Socket,
    setTimeout: time.setTimeout,
    clearTimeout: time.clearTimeout,
    now: () => time.now,
    random: () => 0.5,
    randomID: () => ids.next().value,
    isOnline: () => isOnline,
    ...options,
  });
  const heard = [];
  for (const event of [
    'onConnecting', 'onConnectSuccess', 'onConnectFailed', 'onUserSigExpired', 'onRecvNewMessage',
    'onRecvMessageReadReceipts', 'onRecvC2CReadReceipt', 'onConversationRead', 'onMessageStatusChanged', 'onHistoryGap',
  ]) {
    client.on(event, (...what) => heard.push([event, ...what]));
  }
  client.heard = (event) => heard.filter(([name]) => name === event).map(([, what]) => what);
  client.hasHeard = heard;
  return client;
}

async function connected(options) {
  const client = newClient(options);
  client.connect();
  Socket.last.opens();
  await quiet();
  assert.equal(client.connectionState, 'connected');
  return client;
}

const receipt = (msgID, readCount, unreadCount, more = {}) => ({
  msgID, userID: '', isPeerRead: false, timestamp: 0, groupID: 'team', readCount, unreadCount, ...more,
});
const incoming = (seq, more = {}) => ({
  msgID: `i${seq}`, seq, sender: 'bob', isSelf: false, needReadReceipt: true, groupID: 'team', text: `${seq}`, ...more,
});
const own = (seq, more = {}) => incoming(seq, { msgID: `o${seq}`, sender: 'alice', isSelf: true, ...more });
const counts = (receipts) => receipts.map(({ msgID, readCount }) => [msgID, readCount]);

// Merging.

test('a later receipt wins by its count, whatever order they come in', () => {
  const late = mergeReceipt(receipt('m', 3, 1), receipt('m', 2, 2));
  assert.deepEqual([late.readCount, late.unreadCount], [3, 1]);
  const newer = mergeReceipt(receipt('m', 2, 2), receipt('m', 3, 1));
  assert.deepEqual([newer.readCount, newer.unreadCount], [3, 1]);
});

test('a repeated or older receipt leaves the known one as it is', () => {
  const known = receipt('m', 3, 1);
  assert.equal(mergeReceipt(known, receipt('m', 3, 1)), known);
  assert.equal(mergeReceipt(known, receipt('m', 1, 3)), known);
});

test('a C2C message stays read, at the first time it was', () => {
  const read = receipt('m', 1, 0, { isPeerRead: true, timestamp: 100 });
  const merged = mergeReceipt(read, receipt('m', 0, 1, { timestamp: 0 }));
  assert.deepEqual([merged.isPeerRead, merged.timestamp], [true, 100]);
});

test('every order of any receipts of a message ends the same', () => {
  const receipts = [receipt('m', 0, 4), receipt('m', 1, 3), receipt('m', 3, 1), receipt('m', 2, 2)];
  const orders = (left) => (left.length ? left.flatMap((one) => orders(left.filter((x) => x !== one)).map((rest) => [one, ...rest])) : [[]]);
  const ends = new Set(orders(receipts).map((order) => JSON.stringify(order.reduce(mergeReceipt, undefined))));
  assert.deepEqual([...ends], [JSON.stringify(receipt('m', 3, 1))]);
});

test('frames that say nothing new make no event', async () => {
  const client = await connected();
  Socket.last.says({ event: 'onRecvMessageReadReceipts', receiptList: [receipt('a', 2, 1), receipt('b', 1, 2)] });
  Socket.last.says({ event: 'onRecvMessageReadReceipts', receiptList: [receipt('a', 1, 2), receipt('b', 1, 2)] });
  Socket.last.says({ event: 'onRecvMessageReadReceipts', receiptList: [receipt('a', 1, 2), receipt('b', 2, 1)] });

  assert.deepEqual(client.heard('onRecvMessageReadReceipts').map(counts), [[['a', 2], ['b', 1]], [['b', 2]]]);
  assert.equal(client.receiptOf('a').readCount, 2);
});

test('a conversation is called as its user calls it', () => {
  assert.equal(conversationIDOf({ groupID: 'team' }), 'group_team');
  assert.equal(conversationIDOf({ userID: 'bob' }), 'c2c_bob');
});

// Events.

test('one listener that fails does not keep the others from hearing', async () => {
  const client = await connected();
  client.on('onRecvNewMessage', () => assert.fail('of its own making'));
  const others = [];
  const off = client.on('onRecvNewMessage', (message) => others.push(message.msgID));
  Socket.last.says({ event: 'onRecvNewMessage', message: incoming(1) });
  off();
  Socket.last.says({ event: 'onRecvNewMessage', message: incoming(2) });

  assert.deepEqual(others, ['i1']);
  await assert.rejects(time.passes(0), /of its own making/);
});

test('an event that a later service makes up is passed over', async () => {
  const client = await connected();
  const before = client.hasHeard.length;
  Socket.last.says({ event: 'onSomethingNew', what: 1 });

  assert.equal(client.hasHeard.length, before);
});

// The connection.

test('it connects with the token, and counts as connected when it has caught up', async () => {
  let answer;
  service.answers['GET /read-receipts/changes'] = () => new Promise((resolve) => (answer = resolve));
  const client = newClient({ sdkVersion: '8.1.6116' });
  client.connect();
  assert.equal(client.connectionState, 'connecting');
  assert.deepEqual(Object.fromEntries(Socket.last.url.searchParams), { token: 'token', sdkVersion: '8.1.6116' });
  Socket.last.opens();
  await quiet();
  assert.equal(client.connectionState, 'connecting');
  answer({ receiptList: [], cursor: '1', isFinished: true, isComplete: true });
  await quiet();

  assert.equal(client.connectionState, 'connected');
  assert.deepEqual(client.hasHeard.map(([event]) => event), ['onConnecting', 'onConnectSuccess']);
});

test('it says what the token says of whose it is', () => {
  const payload = Buffer.from(JSON.stringify({ sub: 'bob-_' })).toString('base64url');
  assert.equal(newClient({ userID: undefined, token: `x.${payload}.y` }).userID, 'bob-_');
  assert.equal(newClient({ userID: undefined, token: 'a UserSig' }).userID, '');
});

test('a lost socket is opened again, later and later, and never later than half a minute', async () => {
  const client = newClient();
  client.connect();
  const waits = [];
  for (let tries = 0; tries < 9; tries++) {
    const [before, since] = [Socket.all.length, time.now];
    Socket.last.dies();
    assert.equal(client.connectionState, 'disconnected');
    while (Socket.all.length === before) await time.passes(125);
    waits.push(time.now - since);
  }

  assert.deepEqual(waits, [375, 750, 1500, 3000, 6000, 12000, 22500, 22500, 22500]);
});

test('retries are spread: between half of the wait and all of it', async () => {
  const firstRetry = async (random) => {
    Socket.all = [];
    newClient({ random: () => random }).connect();
    const since = time.now;
    Socket.last.dies();
    while (Socket.all.length === 1) await time.passes(10);
    return time.now - since;
  };

  assert.deepEqual([await firstRetry(0), await firstRetry(0.999)], [250, 500]);
});

test('after a connection that held, the first retry is quick again', async () => {
  const client = newClient();
  client.connect();
  for (let tries = 1; tries <= 5; tries++) {
    Socket.last.dies();
    while (Socket.all.length === tries) await time.passes(1_000);
  }
  Socket.last.opens();
  await time.passes(10_000);
  const before = Socket.all.length;
  Socket.last.dies();
  await time.passes(375);

  assert.equal(Socket.all.length, before + 1);
});

test('a socket that is opened and closed at once is not opened ever more often', async () => {
  newClient().connect();
  for (let second = 0; second < 60; second++) {
    if (Socket.last.readyState === 0) {
      Socket.last.opens();
      Socket.last.dies();
    }
    await time.passes(1000);
  }

  assert.ok(Socket.all.length < 10, `${Socket.all.length} sockets in a minute`);
});

test('a handshake that hangs is given up', async () => {
  const client = newClient();
  client.connect();
  const hanging = Socket.last;
  await time.passes(15_000);

  assert.equal(client.connectionState, 'disconnected');
  assert.ok(hanging.isClosed);
});

test('it speaks every four minutes, for API Gateway ends silent sockets after ten', async () => {
  await connected();
  for (let minutes = 0; minutes < 12; minutes++) {
    await time.passes(60_000);
    if (Socket.last.sent.length) Socket.last.says({ requestID: 'ping', code: 0, desc: 'OK' });
  }

  assert.equal(Socket.all.length, 1);
  assert.deepEqual(Socket.last.sent.map(({ action }) => action), ['ping', 'ping', 'ping']);
});

test('a socket that does not answer is dead, and replaced', async () => {
  const client = await connected();
  const dead = Socket.last;
  client.wakeUp(); // the lid has been opened
  assert.equal(dead.sent.length, 1);
  await time.passes(5_000);
  assert.equal(client.connectionState, 'disconnected');
  await time.passes(500);

  assert.ok(dead.isClosed);
  assert.notEqual(Socket.last, dead);
});

test('when the network goes it says so at once, and when it comes back it does not wait', async () => {
  const client = await connected();
  isOnline = false;
  client.wakeUp();
  assert.equal(client.connectionState, 'disconnected');
  isOnline = true;
  client.wakeUp();

  assert.equal(client.connectionState, 'connecting');
  assert.equal(Socket.all.length, 2);
});

test('a closed client stays closed', async () => {
  const client = await connected();
  client.close();
  client.wakeUp();
  await time.passes(3_600_000);

  assert.equal(client.connectionState, 'disconnected');
  assert.equal(Socket.all.length, 1);
});

test('an expired token is not tried for ever; a new one goes on from there', async () => {
  const expired = () => new Refusal(401, 70001, 'The token has expired.');
  service.answers['GET /settings'] = expired;
  const client = newClient();
  client.connect();
  Socket.last.dies(); // a refused handshake does not say why
  await time.passes(3_600_000);
  await assert.rejects(client.getSettings(), (error) => error.isAboutToken);
  assert.equal(Socket.all.length, 1);
  assert.deepEqual(client.heard('onUserSigExpired').map(({ code }) => code), [70001]); // once is enough

  client.setToken('a new one');
  assert.equal(Socket.last.url.searchParams.get('token'), 'a new one');
  Socket.last.opens();
  await quiet();
  assert.equal(client.connectionState, 'connected');
});

test('what waited when the token expired is sent with the new one, and not tried before', async () => {
  service.answers['POST /messages'] = () => new Refusal(401, 70001);
  const client = await connected();
  const sent = client.sendMessage(client.createTextMessage({ userID: 'bob', text: 'hi' }));
  await time.passes(600_000);
  assert.equal(service.made('POST', '/messages').length, 1);
  service.answers['POST /messages'] = () => ({ msgID: 'm1', seq: 1 });
  client.setToken('a new one');
  await quiet();

  assert.equal((await sent).status, 'success');
  assert.equal(service.made('POST', '/messages')[1].headers.Authorization, 'Bearer a new one');
});

// Catching up.

test('after a reconnect it asks what changed since, page by page, and goes on from there the next time', async () => {
  const asked = [];
  service.answers['GET /read-receipts/changes'] = ({ since }) => {
    asked.push(since);
    const pages = { '': ['1', []], 1: ['2', [receipt('a', 1, 1)]], 2: ['3', [receipt('b', 2, 0)]] };
    const [cursor, receiptList] = pages[since] ?? ['3', []];
    return { receiptList, cursor, isFinished: since !== '1', isComplete: true };
  };
  const client = await connected();
  for (let times = 0; times < 2; times++) {
    Socket.last.dies();
    await time.passes(1_000);
    Socket.last.opens();
    await quiet();
  }

  assert.deepEqual(asked, ['', '1', '2', '3']);
  assert.deepEqual(client.heard('onRecvMessageReadReceipts').map(counts), [[['a', 1]], [['b', 2]]]);
  assert.equal(client.connectionState, 'connected');
});

test('where changes are no longer kept it asks for every receipt that is shown', async () => {
  service.answers['GET /conversations/group_team/messages'] = () => ({ messageList: [own(2), own(1)], isFinished: true });
  service.answers['POST /read-receipts/query'] = ({ msgIDs }) => ({
    receiptList: msgIDs.map((msgID) => receipt(msgID, 4, 0)), resultList: [],
  });
  const client = await connected();
  await client.getHistoryMessageList({ conversationID: 'group_team' });
  service.answers['GET /read-receipts/changes'] = () => ({ receiptList: [], cursor: '9', isFinished: true, isComplete: false });
  Socket.last.dies();
  await time.passes(1_000);
  Socket.last.opens();
  await quiet();

  assert.deepEqual(service.made('POST', '/read-receipts/query').map(({ body }) => body.msgIDs), [['o2', 'o1']]);
  assert.deepEqual(counts(client.heard('onRecvMessageReadReceipts')[0]), [['o2', 4], ['o1', 4]]);
});

test('messages that came while it was away are heard in their order, each once', async () => {
  const messages = [incoming(1)];
  service.answers['GET /conversations/group_team/messages'] = () => ({ messageList: messages.toReversed(), isFinished: true });
  const client = await connected();
  await client.getHistoryMessageList({ conversationID: 'group_team' });
  Socket.last.dies();
  messages.push(incoming(2), incoming(4), incoming(5));
  await time.passes(1_000);
  Socket.last.opens();
  Socket.last.says({ event: 'onRecvNewMessage', message: incoming(6) }); // before the answer of the catch-up
  await quiet();

  assert.deepEqual(client.heard('onRecvNewMessage').map(({ seq }) => seq), [6, 2, 4, 5]);
});

test('more than a page of missed messages is said to be a gap', async () => {
  let messageList = [incoming(1)];
  service.answers['GET /conversations/group_team/messages'] = () => ({ messageList, isFinished: messageList.length < 100 });
  const client = await connected();
  await client.getHistoryMessageList({ conversationID: 'group_team' });
  messageList = Array.from({ length: 100 }, (_, index) => incoming(300 - index));
  Socket.last.dies();
  await time.passes(1_000);
  Socket.last.opens();
  await quiet();

  assert.deepEqual(client.heard('onHistoryGap'), [{ conversationID: 'group_team' }]);
  assert.equal(client.heard('onRecvNewMessage').length, 100);
});

test('a catch-up that fails is tried again, and one that is refused is not', async () => {
  let tries = 0;
  service.answers['GET /conversations/group_team/messages'] = () => ({ messageList: [incoming(1)], isFinished: true });
  const client = await connected();
  await client.getHistoryMessageList({ conversationID: 'group_team' });
  service.answers['GET /conversations/group_team/messages'] = () => new Refusal(404, 10010); // removed from the group
  service.answers['GET /read-receipts/changes'] = () =>
    tries++ < 2 ? new Refusal(500, 10002) : { receiptList: [], cursor: '1', isFinished: true, isComplete: true };
  Socket.last.dies();
  await time.passes(500);
  Socket.last.opens();
  await quiet();
  assert.equal(client.connectionState, 'connecting'); // honest: something may still be missing
  await time.passes(5_000);

  assert.equal(client.connectionState, 'connected');
  assert.equal(tries, 3);
  const asked = () => service.made('GET', '/conversations/group_team/messages').length;
  const before = asked();
  Socket.last.dies();
  await time.passes(1_000);
  Socket.last.opens();
  await quiet();
  assert.equal(asked(), before); // nor the next time
});

test('what comes while a catch-up is tried again does not hide what it is for', async () => {
  const messages = [incoming(1)];
  service.answers['GET /conversations/group_team/messages'] = () => ({ messageList: messages.toReversed(), isFinished: true });
  const client = await connected();
  await client.getHistoryMessageList({ conversationID: 'group_team' });
  Socket.last.dies();
  messages.push(incoming(2));
  await time.passes(500);
  service.isReachable = false;
  Socket.last.opens();
  await quiet();
  Socket.last.says({ event: 'onRecvNewMessage', message: incoming(3) });
  service.isReachable = true;
  await time.passes(5_000);

  assert.deepEqual(client.heard('onRecvNewMessage').map(({ seq }) => seq), [3, 2]);
});

test('a catch-up that ends after its socket did connects nothing', async () => {
  let answer;
  service.answers['GET /read-receipts/changes'] = () => new Promise((resolve) => (answer = resolve));
  const client = newClient();
  client.connect();
  Socket.last.opens();
  await quiet();
  Socket.last.dies();
  answer({ receiptList: [], cursor: '1', isFinished: true, isComplete: true });
  await quiet();

  assert.equal(client.connectionState, 'disconnected');
});

test('who has receipts turned off has none to catch up, and is connected all the same', async () => {
  service.answers['GET /read-receipts/changes'] = () => new Refusal(403, 45006);
  await connected();
});

// Sending.

test('a message is sent once, and becomes what the service made of it', async () => {
  const client = await connected();
  const message = client.createTextMessage({ groupID: 'team', text: 'hi', needReadReceipt: true });
  assert.deepEqual([message.status, message.isSelf, message.sender], ['unSend', true, 'alice']);
  const sent = await client.sendMessage(message);

  assert.equal(sent, message);
  assert.deepEqual([sent.msgID, sent.seq, sent.status], ['m1', 1, 'success']);
  assert.deepEqual(service.made('POST', '/messages').map(({ body }) => body), [
    { groupID: 'team', text: 'hi', needReadReceipt: true, clientMsgID: 'id-1' },
  ]);
  assert.deepEqual(client.heard('onMessageStatusChanged'), [message]);
});

test('without a network messages wait, and then go out in their order under the names they had', async () => {
  const client = await connected();
  service.isReachable = false;
  const texts = ['one', 'two', 'three'];
  const messages = texts.map((text) => client.createTextMessage({ userID: 'bob', text }));
  const sent = Promise.all(messages.map((message) => client.sendMessage(message)));
  await time.passes(60_000);
  assert.deepEqual(client.pendingMessages, messages);
  assert.ok(messages.every(({ status }) => status === 'unSend'));
  service.isReachable = true;
  client.wakeUp();
  await sent;

  const bodies = service.made('POST', '/messages').map(({ body }) => [body.text, body.clientMsgID]);
  assert.deepEqual(bodies, [['one', 'id-1'], ['two', 'id-2'], ['three', 'id-3']]);
  assert.deepEqual(client.pendingMessages, []);
});

test('a send whose answer was lost is repeated under the same name, and so said once', async () => {
  const takes = service.answers['POST /messages'];
  let isLost = true;
  service.answers['POST /messages'] = (message) => {
    const answer = takes(message);
    if (isLost) throw new TypeError('the answer is lost');
    return answer;
  };
  const client = await connected();
  const sent = client.sendMessage(client.createTextMessage({ userID: 'bob', text: 'once' }));
  await quiet();
  isLost = false;
  await time.passes(1_000);

  assert.equal((await sent).seq, 1);
  assert.deepEqual(service.made('POST', '/messages').map(({ body }) => body.clientMsgID), ['id-1', 'id-1']);
});

test('a refusal is final, says why, and does not hold up the next', async () => {
  service.answers['POST /messages'] = ({ text }) =>
    text === 'long' ? new Refusal(413, 80002, 'The content is too long.') : { msgID: 'm', seq: 1 };
  const client = await connected();
  const long = client.createTextMessage({ userID: 'bob', text: 'long' });
  const refused = assert.rejects(client.sendMessage(long), (error) => error instanceof ChatError && error.code === 80002);
  const next = await client.sendMessage(client.createTextMessage({ userID: 'bob', text: 'short' }));
  await refused;

  assert.deepEqual([long.status, next.status], ['fail', 'success']);
  service.answers['POST /messages'] = () => ({ msgID: 'm', seq: 2 });
  assert.equal((await client.resendMessage(long)).status, 'success');
  assert.equal(service.made('POST', '/messages').at(-1).body.clientMsgID, 'id-1');
});

test('what waits outlives the page, and what was sent does not come back', async () => {
  const storage = new Storage();
  const first = newClient({ storage });
  service.isReachable = false;
  first.sendMessage(first.createTextMessage({ userID: 'bob', text: 'kept' }));
  await quiet();
  first.close();
  service.isReachable = true;
  const second = await connected({ storage });
  await quiet();

  assert.deepEqual(service.made('POST', '/messages').map(({ body }) => body.text), ['kept']);
  assert.deepEqual(second.pendingMessages, []);
  assert.deepEqual(newClient({ storage }).pendingMessages, []);
});

test('no more wait than can be kept', async () => {
  const client = newClient();
  service.isReachable = false;
  const send = () => client.sendMessage(client.createTextMessage({ userID: 'bob', text: 'hi' }));
  for (let number = 0; number < 200; number++) send();

  await assert.rejects(send(), /No more than 200/);
});

test('the echo of an own message is not a second one, and that of another device is heard', async () => {
  const client = await connected();
  let answer;
  service.answers['POST /messages'] = () => new Promise((resolve) => (answer = resolve));
  const sent = client.sendMessage(client.createTextMessage({ groupID: 'team', text: 'hi' }));
  await quiet();
  Socket.last.says({ event: 'onRecvNewMessage', message: own(1) });
  Socket.last.says({ event: 'onRecvNewMessage', message: own(2, { text: 'from the phone' }) });
  answer(own(1));
  await sent;
  await quiet();

  assert.deepEqual(client.heard('onRecvNewMessage').map(({ msgID }) => msgID), ['o2']);
});

// Sending receipts.

test('what is read within 200 ms is one call for each conversation, the oldest first', async () => {
  const client = await connected();
  client.sendMessageReadReceipts([incoming(2)]);
  await time.passes(150);
  client.sendMessageReadReceipts([incoming(1), incoming(2)]);
  const c2c = client.sendMessageReadReceipts([incoming(7, { groupID: undefined, userID: 'bob' })]);
  assert.equal(service.made('POST', '/read-receipts').length, 0);
  await time.passes(50);

  assert.deepEqual(service.made('POST', '/read-receipts').map(({ body }) => body.msgIDs), [['i1', 'i2'], ['i7']]);
  assert.deepEqual(await c2c, [{ msgID: 'i7', code: 0, desc: 'OK' }]);
});

test('own messages, those that ask for none, and those acknowledged before cost nothing', async () => {
  const client = await connected();
  client.sendMessageReadReceipts([own(1), incoming(2, { needReadReceipt: false }), incoming(3)]);
  await time.passes(200);
  client.sendMessageReadReceipts([incoming(3)]);
  await time.passes(200);

  assert.deepEqual(service.made('POST', '/read-receipts').map(({ body }) => body.msgIDs), [['i3']]);
});

test('what is on its way is not sent again, and its result is told to all who asked', async () => {
  let answer;
  service.answers['POST /read-receipts'] = ({ msgIDs }) =>
    new Promise((resolve) => (answer = () => resolve({ resultList: msgIDs.map((msgID) => ({ msgID, code: 0, desc: 'OK' })) })));
  const client = await connected();
  const results = [client.sendMessageReadReceipts([incoming(1)])];
  await time.passes(200);
  results.push(client.sendMessageReadReceipts([incoming(1)]));
  await time.passes(1_000);
  answer();
  await time.passes(1_000);

  assert.equal(service.made('POST', '/read-receipts').length, 1);
  assert.deepEqual((await Promise.all(results)).flat().map(({ msgID, code }) => [msgID, code]), [['i1', 0], ['i1', 0]]);
});

test('a call takes a hundred', async () => {
  const client = await connected();
  client.sendMessageReadReceipts(Array.from({ length: 250 }, (_, index) => incoming(index + 1)));
  await time.passes(200);

  assert.deepEqual(service.made('POST', '/read-receipts').map(({ body }) => body.msgIDs.length), [100, 100, 50]);
});

test('marking read goes along with the receipts, or by itself where the newest asks for none', async () => {
  service.answers['POST /conversations/group_team/read'] = () => ({ code: 0, desc: 'OK' });
  const client = await connected();
  client.sendMessageReadReceipts([incoming(1), incoming(2)], { alsoMarkRead: true });
  await time.passes(200);
  client.sendMessageReadReceipts([incoming(3), incoming(4, { needReadReceipt: false })], { alsoMarkRead: true });
  await time.passes(200);

  assert.deepEqual(service.made('POST', '/read-receipts').map(({ body }) => body), [
    { msgIDs: ['i1', 'i2'], alsoMarkRead: true },
    { msgIDs: ['i3'], alsoMarkRead: false },
  ]);
  assert.deepEqual(service.made('POST', '/conversations/group_team/read').map(({ body }) => body), [{ msgID: 'i4' }]);
});

test('receipts wait for the network too, and nothing that was read meanwhile is forgotten', async () => {
  const client = await connected();
  service.isReachable = false;
  client.sendMessageReadReceipts([incoming(1)]);
  await time.passes(300);
  client.sendMessageReadReceipts([incoming(2)]);
  await time.passes(10_000);
  service.isReachable = true;
  client.wakeUp();
  await time.passes(200);

  assert.deepEqual(service.made('POST', '/read-receipts').map(({ body }) => body.msgIDs), [['i1', 'i2']]);
});

test('what is read while a call is on its way, and fails, goes out with it', async () => {
  let fail;
  const takes = service.answers['POST /read-receipts'];
  service.answers['POST /read-receipts'] = () => new Promise((_, reject) => (fail = reject));
  const client = await connected();
  client.sendMessageReadReceipts([incoming(1)], { alsoMarkRead: true });
  await time.passes(200);
  client.sendMessageReadReceipts([incoming(2)], { alsoMarkRead: true });
  service.answers['POST /read-receipts'] = takes;
  fail(new TypeError('fetch failed'));
  await time.passes(5_000);

  assert.deepEqual(service.made('POST', '/read-receipts').map(({ body }) => body), [
    { msgIDs: ['i1'], alsoMarkRead: true },
    { msgIDs: ['i1', 'i2'], alsoMarkRead: true },
  ]);
});

test('of a call only what the server failed at is said again', async () => {
  let failing = ['i2'];
  service.answers['POST /read-receipts'] = ({ msgIDs }) => ({
    resultList: msgIDs.map((msgID) => ({ msgID, code: failing.includes(msgID) ? 10002 : msgID === 'i3' ? 45002 : 0, desc: '.' })),
  });
  const client = await connected();
  const results = client.sendMessageReadReceipts([incoming(1), incoming(2), incoming(3)]);
  await time.passes(200);
  failing = [];
  await time.passes(1_000);

  assert.deepEqual(service.made('POST', '/read-receipts').map(({ body }) => body.msgIDs), [['i1', 'i2', 'i3'], ['i2']]);
  assert.deepEqual((await results).map(({ code }) => code), [0, 0, 45002]);
});

test('a call that is refused as a whole is answered with its code, and not repeated', async () => {
  service.answers['POST /read-receipts'] = () => new Refusal(403, 7013, 'Another edition.');
  const client = await connected();
  const results = client.sendMessageReadReceipts([incoming(1)]);
  await time.passes(60_000);

  assert.deepEqual(await results, [{ msgID: 'i1', code: 7013, desc: 'Another edition.' }]);
  assert.equal(service.made('POST', '/read-receipts').length, 1);
});

test('what was read before the switch was turned is told, or withheld, by what it was then', async () => {
  let answer;
  service.answers['PUT /settings'] = (settings) => settings;
  service.answers['POST /read-receipts'] = ({ msgIDs }) =>
    new Promise((resolve) => (answer = () => resolve({ resultList: msgIDs.map((msgID) => ({ msgID, code: 0 })), withheld: true })));
  const client = await connected();
  client.sendMessageReadReceipts([incoming(1)]);
  const turned = client.setSettings({ readReceipts: true });
  await quiet();
  assert.deepEqual([service.made('POST', '/read-receipts').length, service.made('PUT', '/settings').length], [1, 0]);
  answer();
  await turned;

  assert.equal(service.made('PUT', '/settings').length, 1);
});

test('a page that is about to go says what it has gathered', async () => {
  const client = await connected();
  await client.flush(); // nothing
  client.sendMessageReadReceipts([incoming(1)]);
  await client.flush();

  assert.equal(service.made('POST', '/read-receipts').length, 1);
});

// Asking.

test('receipts are asked for by conversation, for own messages that have any, a hundred at a time', async () => {
  service.answers['POST /read-receipts/query'] = ({ msgIDs }) => ({
    receiptList: msgIDs.map((msgID) => receipt(msgID, 1, 1)), resultList: [],
  });
  const client = newClient();
  const messages = Array.from({ length: 120 }, (_, index) => own(index + 1));
  const asked = [...messages, incoming(200), own(201, { needReadReceipt: false }), own(202, { groupID: undefined, userID: 'bob' })];
  const found = await client.getMessageReadReceipts(asked);

  assert.deepEqual(service.made('POST', '/read-receipts/query').map(({ body }) => body.msgIDs.length), [100, 20, 1]);
  assert.equal(found.length, 121);
});

test('who has receipts turned off is shown none', async () => {
  service.answers['POST /read-receipts/query'] = () => new Refusal(403, 45006);
  assert.deepEqual(await newClient().getMessageReadReceipts([own(1)]), []);
});

test('names in paths are escaped', async () => {
  service.fetch = async (url) => {
    service.calls.push(url);
    return { ok: true, status: 200, json: async () => ({ messageList: [], members: [], isFinished: true }) };
  };
  const client = newClient({ fetch: (...request) => service.fetch(...request) });
  await client.getHistoryMessageList({ conversationID: 'group_a#b@c' });
  await client.getGroupMessageReadMemberList({ msgID: 'x=/y' }, 'unread', 80, 50);

  assert.match(service.calls[0], /\/conversations\/group_a%23b%40c\/messages\?count=20$/);
  assert.match(service.calls[1], /\/messages\/x%3D%2Fy\/read-members\?filter=unread&nextSeq=80&count=50$/);
});

test('an answer that is none of the service is an error of no code', async () => {
  const client = newClient({ fetch: async () => ({ ok: false, status: 502, json: async () => JSON.parse('<html>') }) });

  await assert.rejects(client.getSettings(), (error) => error.code === 0 && error.httpStatus === 502 && error.isTransient);
});

test('a call that is not answered is given up', async () => {
  const hangs = (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const client = newClient({ fetch: hangs });
  const refused = assert.rejects(client.getSettings(), (error) => error.isTransient);
  await time.passes(30_000);
  await refused;
});

// The types.

test('client.d.ts describes what there is, and nothing else', () => {
  const types = readFileSync(new URL('../../../chalicelib/page/client.d.ts', import.meta.url), 'utf8');
  const described = types.match(/export class ChatClient \{[\s\S]*?\n\}/)[0].matchAll(/^  (?:readonly |get )?(\w+)[(<:]/gm);
  const there = [...Object.getOwnPropertyNames(ChatClient.prototype), ...Object.keys(newClient())];
  const names = new Set([...described].map(([, name]) => name));

  assert.deepEqual([...names].sort(), [...new Set(there)].filter((name) => !/^(heard|hasHeard)$/.test(name)).sort());
});
