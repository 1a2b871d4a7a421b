/** The page's words, in English. */

export default {
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
};
