/** How things are shown: elements, words in two languages, names as colours, and times. Text is only ever text. */

const WORDS = {
  zh: {
    title: '已读回执',
    conversations: '会话', messages: '消息', newChat: '发起聊天', back: '返回', close: '关闭', cancel: '取消', begin: '开始',
    withWhom: '和谁（用户 ID；多人用逗号分隔）', groupName: '群名称（多人时）',
    notAnID: '用户 ID 由 1–32 个字母、数字和 _ - . @ # 组成。',
    privacy: '已读回执', privacyOn: '您能看到谁已读，对方也能看到您已读', privacyOff: '互不可见：不发送，也看不到回执',
    privacyForced: '由管理员开启', language: '语言',
    chooseOne: '选择一个会话，开始聊天', noConversations: '还没有会话。点 + 发起聊天。',
    pasteToken: '粘贴您的令牌（make token USER=…）', signIn: '登录',
    write: '输入消息', send: '发送', sendHint: 'Enter 发送，Shift + Enter 换行', askReceipt: '需要已读回执',
    connected: '已连接', connecting: '连接中…', disconnected: '未连接，正在重试', expired: '登录已过期',
    bannerOffline: '没有连接。写下的消息会在恢复后发出，已读数可能不是最新的。',
    bannerExpired: '登录已过期，请重新打开链接。',
    unread: '未读', read: '已读', allRead: '全部已读', someRead: (count) => `${count} 人已读`, readAt: (time) => `已读 ${time}`,
    sent: '已发送', sending: '发送中…', waiting: '待发送', failed: '发送失败', resend: '重发', receiptsOff: '已关闭回执',
    receiptDetails: '消息回执', readTab: (count) => `已读 ${count}`, unreadTab: (count) => `未读 ${count}`,
    nobodyRead: '还没有人读', nobodyUnread: '所有人都已读', loading: '加载中…', loadFailed: '加载失败', showDetails: '查看已读和未读成员',
    newMessages: '以下是新消息', toEnd: (count) => (count ? `${count} 条新消息` : '回到最新'), today: '今天', yesterday: '昨天',
    group: (count) => `群聊 · ${count} 人`, direct: '单聊', custom: '[自定义消息]', you: '我', beginning: '这是会话的开头',
    heard: (sender, text) => `${sender}：${text}`, counted: (text, state) => `“${text}”：${state}`,
    countedMany: (count) => `${count} 条消息有新的已读`, unreadBadge: (count) => `${count} 条未读`,
  },
  en: {
    title: 'Read receipts',
    conversations: 'Conversations', messages: 'Messages', newChat: 'New chat', back: 'Back', close: 'Close', cancel: 'Cancel', begin: 'Start',
    withWhom: 'With whom (user IDs, commas between)', groupName: 'Group name (if several)',
    notAnID: 'A user ID is 1–32 letters, digits and _ - . @ #.',
    privacy: 'Read receipts', privacyOn: 'You see who has read, and others see that you have', privacyOff: 'Off: you send none, and see none',
    privacyForced: 'Kept on by the administrator', language: 'Language',
    chooseOne: 'Choose a conversation', noConversations: 'No conversations yet. Start one with +.',
    pasteToken: 'Paste your token (make token USER=…)', signIn: 'Sign in',
    write: 'Write a message', send: 'Send', sendHint: 'Enter sends, Shift + Enter breaks the line', askReceipt: 'Ask for a read receipt',
    connected: 'Connected', connecting: 'Connecting…', disconnected: 'Not connected, trying again', expired: 'Signed out',
    bannerOffline: 'Not connected. What you write goes out when you are back; counts may be behind.',
    bannerExpired: 'Your sign-in has expired. Open your link again.',
    unread: 'Unread', read: 'Read', allRead: 'Read by all', someRead: (count) => `Read by ${count}`, readAt: (time) => `Read ${time}`,
    sent: 'Sent', sending: 'Sending…', waiting: 'Waiting to send', failed: 'Not sent', resend: 'Send again', receiptsOff: 'Receipts are off',
    receiptDetails: 'Read receipt', readTab: (count) => `Read ${count}`, unreadTab: (count) => `Unread ${count}`,
    nobodyRead: 'Nobody yet', nobodyUnread: 'Everybody has read it', loading: 'Loading…', loadFailed: 'This could not be loaded', showDetails: 'Show who has read it',
    newMessages: 'New messages', toEnd: (count) => (count ? `${count} new` : 'To the latest'), today: 'Today', yesterday: 'Yesterday',
    group: (count) => `Group · ${count} members`, direct: 'Direct chat', custom: '[custom message]', you: 'You', beginning: 'The beginning of the conversation',
    heard: (sender, text) => `${sender}: ${text}`, counted: (text, state) => `“${text}”: ${state}`,
    countedMany: (count) => `${count} messages were read further`, unreadBadge: (count) => `${count} unread`,
  },
};

let language = 'en';

export const currentLanguage = () => language;

/** The words for something, in the page's language. */
export function say(name, ...details) {
  const words = WORDS[language][name];
  return typeof words === 'function' ? words(...details) : words;
}

/** Turn the page to a language, and all its fixed words. */
export function speak(wanted) {
  language = wanted in WORDS ? wanted : 'en';
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
