/** A client of the read-receipt service. Names are V2TIM's; times are in seconds where they do not say otherwise. */

export const MSG_IDS_PER_CALL_MAX: 100;
export const GATHERING_MS: 200;
export const OUTBOX_MAX: 200;

export interface Options {
  /** The base of the HTTP API, such as `https://…/api/v1`. */
  http: string;
  /** The socket, such as `wss://…/api`. */
  webSocket: string;
  /** Whose client this is: a JWT of the stack, or a UserSig. */
  token: string;
  /** Needed with a UserSig; a JWT says it itself. */
  userID?: string;
  /** Which of V2TIM's versions to be held to, such as `8.1.6116`. Without it: the current one. */
  sdkVersion?: string;
  /** Where messages wait that could not be sent yet, such as `sessionStorage`. Without it they live as long as the client. */
  storage?: Pick<Storage, 'getItem' | 'setItem'> | null;
  /** What the machine believes of its network. */
  isOnline?: () => boolean;
  /** What time, chance and the network are made of; for tests, and for old versions of Node. */
  fetch?: typeof fetch;
  WebSocket?: new (url: string) => WebSocket;
  setTimeout?: (act: () => void, ms: number) => unknown;
  clearTimeout?: (timer: any) => void;
  now?: () => number;
  random?: () => number;
  randomID?: () => string;
}

export interface Message {
  msgID: string;
  /** Its number in its conversation: 1, 2, 3 …, with gaps. */
  seq: number;
  timestamp: number;
  sender: string;
  isSelf: boolean;
  needReadReceipt: boolean;
  /** The peer, in C2C. */
  userID?: string;
  groupID?: string;
  text?: string;
  data?: Record<string, unknown>;
  /** Own C2C messages of a history: whether the peer has marked the conversation read since. */
  isPeerRead?: boolean;
  /** The sender has receipts turned off: it asks for none. */
  withheld?: boolean;
}

/** A message that this client made. It becomes a `Message` in place when it has been sent. */
export interface OwnMessage extends Partial<Message> {
  clientMsgID: string;
  status: 'unSend' | 'success' | 'fail';
}

/** V2TIMMessageReceipt. */
export interface MessageReceipt {
  msgID: string;
  /** The peer, in C2C. */
  userID: string;
  isPeerRead: boolean;
  /** When the peer read it, in C2C. */
  timestamp?: number;
  groupID: string;
  readCount: number;
  unreadCount: number;
}

export interface MessageResult {
  msgID: string;
  code: number;
  desc: string;
}

export interface Conversation {
  conversationID: string;
  /** 1 for C2C, 2 for a group. */
  type: 1 | 2;
  showName: string;
  /** 100 means 100 or more. */
  unreadCount: number;
  userID?: string;
  groupID?: string;
  groupType?: string;
  memberCount?: number;
  lastMessage?: Message;
}

export interface GroupInfo {
  groupID: string;
  groupType: string;
  name: string;
  owner: string;
  memberCount: number;
  resultList?: { userID: string; code: number; desc: string }[];
}

export interface Settings {
  readReceipts: boolean;
  mayTurnReceiptsOff: boolean;
}

export interface Events {
  /** The socket is being opened, for the first time or again. */
  onConnecting: () => void;
  /** It is open, and everything that was missed has been heard. */
  onConnectSuccess: () => void;
  /** There is no socket. The client tries again by itself, unless it was closed. */
  onConnectFailed: (error: ChatError) => void;
  /** The token is refused. Nothing is tried any more until `setToken`. */
  onUserSigExpired: (error: ChatError) => void;
  /** A message has come, or was sent from another device. After a reconnect: also what was missed. */
  onRecvNewMessage: (message: Message) => void;
  /** Own messages were read further. Counts are absolute and never go back; only what is new is told. */
  onRecvMessageReadReceipts: (receiptList: MessageReceipt[]) => void;
  /** The C2C peer has marked the conversation read; the msgID is empty. */
  onRecvC2CReadReceipt: (receiptList: MessageReceipt[]) => void;
  /** The user has marked a conversation read, on this device or another. */
  onConversationRead: (mark: { conversationID: string; lastReadSeq: number }) => void;
  /** A message of this client's was sent, or finally refused. */
  onMessageStatusChanged: (message: OwnMessage, error: ChatError | null) => void;
  /** More was missed in this conversation than one page. The last page follows; older messages are to be paged in. */
  onHistoryGap: (gap: { conversationID: string }) => void;
}

/** A refusal of the service. A code of 0 means that no answer came, or none of the service. */
export class ChatError extends Error {
  constructor(code: number, desc: string, httpStatus?: number);
  code: number;
  desc: string;
  httpStatus: number;
  /** The same call may well succeed later. */
  get isTransient(): boolean;
  /** It is the token that is refused. */
  get isAboutToken(): boolean;
}

export function conversationIDOf(message: Pick<Message, 'userID' | 'groupID'>): string;

/** What is known after a receipt has come, by maximum; the very same object if that said nothing new. */
export function mergeReceipt(known: MessageReceipt | undefined, receipt: MessageReceipt): MessageReceipt;

type Content = { needReadReceipt?: boolean } & ({ userID: string; groupID?: never } | { groupID: string; userID?: never });

export class ChatClient {
  constructor(options: Options);

  readonly userID: string;
  readonly connectionState: 'disconnected' | 'connecting' | 'connected';

  /** Listen to an event; what is returned stops it. */
  on<Event extends keyof Events>(event: Event, listener: Events[Event]): () => void;
  off<Event extends keyof Events>(event: Event, listener: Events[Event]): void;

  /** Open the socket, and keep it open until `close`. */
  connect(): void;
  close(): void;
  /** To be called when the network changes, or the machine or the page has slept: finds out at once what still works. */
  wakeUp(): void;
  setToken(token: string): void;

  createTextMessage(content: Content & { text: string }): OwnMessage;
  createCustomMessage(content: Content & { data: Record<string, unknown>; text?: string }): OwnMessage;
  /** Send it, after those that wait. Without a network it waits, and goes out once. Rejects with what it is refused with. */
  sendMessage(message: OwnMessage): Promise<OwnMessage & Message>;
  /** Once more, after a refusal. */
  resendMessage(message: OwnMessage): Promise<OwnMessage & Message>;
  /** Messages that wait to be sent, in order. */
  get pendingMessages(): OwnMessage[];

  /**
   * These messages have been seen. What is gathered within 200 ms goes out in one call for each conversation, and waits
   * for the network. With `alsoMarkRead` the conversation is marked read up to the newest of them.
   */
  sendMessageReadReceipts(messages: Message[], options?: { alsoMarkRead?: boolean }): Promise<MessageResult[]>;
  /** Send at once what has been gathered. */
  flush(): Promise<void>;
  /** The receipts of those of these messages that are one's own and asked for them. */
  getMessageReadReceipts(messages: (Message | OwnMessage)[]): Promise<MessageReceipt[]>;
  /** What is known of a message's receipt, without asking. */
  receiptOf(msgID: string): MessageReceipt | undefined;
  /** A page of who has, or has not, read an own group message. It may be short: go on until `isFinished`. */
  getGroupMessageReadMemberList(
    message: { msgID: string },
    filter?: 'read' | 'unread',
    nextSeq?: number,
    count?: number,
  ): Promise<{ members: { userID: string; readAtMs?: number }[]; nextSeq: number; isFinished: boolean }>;

  getConversationList(page?: {
    nextSeq?: string;
    count?: number;
    withLastMessage?: boolean;
  }): Promise<{ conversationList: Conversation[]; nextSeq: string; isFinished: boolean }>;
  /** Messages before `lastMsgID`, newest first. Of the last 20 conversations asked for, what was missed is caught up. */
  getHistoryMessageList(page: {
    conversationID: string;
    count?: number;
    lastMsgID?: string;
  }): Promise<{ messageList: Message[]; isFinished: boolean }>;
  /** Mark a conversation read, up to a message or all of it. Sends no receipts. */
  cleanConversationUnreadMessageCount(conversationID: string, msgID?: string): Promise<{ code: number; desc: string }>;

  createGroup(group: {
    groupType: 'Work' | 'Public' | 'Meeting' | 'Community' | 'AVChatRoom';
    groupID?: string;
    name?: string;
    memberList?: string[];
  }): Promise<GroupInfo>;
  getGroupMemberList(
    groupID: string,
    page?: { nextSeq?: number; count?: number },
  ): Promise<{ memberList: { userID: string; role: string }[]; nextSeq: number; isFinished: boolean }>;

  /** The user's read-receipt switch. Off: the user sends none, and sees none. */
  getSettings(): Promise<Settings>;
  setSettings(settings: { readReceipts: boolean }): Promise<Settings>;
}
