/** 页面上的文字，中文。 */

export default {
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
};
