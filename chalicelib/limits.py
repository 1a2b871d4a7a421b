"""Every bound that a client can meet, each with its reason. Crossing one is a clear error, never a silent cut."""

# Identifiers. TIM allows 32 bytes for a UserID and 48 for a GroupID.
USER_ID_LENGTH_MAX = 32
GROUP_ID_LENGTH_MAX = 48
# The same to Python and to JSON Schema: only to Python does `$` match before a line's end too. Not `.` and `..`, which
# URLs make something else of.
ID_PATTERN = r"^(?!\.\.?$)[A-Za-z0-9_\-.@#]+$(?!\n)"

# A group's display name; TIM allows 100 bytes, we count characters.
GROUP_NAME_LENGTH_MAX = 100

# A client's own name for a message it sends; a UUID fits three times.
CLIENT_MSG_ID_LENGTH_MAX = 128

# Text and data of one message together, in bytes of UTF-8, as in TIM.
CONTENT_BYTES_MAX = 12 * 1024

# One HTTP body. 12 KB of content written as \uXXXX escapes is 72 KB, 5,000 invited userIDs are 175 KB.
BODY_BYTES_MAX = 256 * 1024

# One WebSocket frame in either direction: API Gateway bills by 32 KB and cuts frames there.
FRAME_BYTES_MAX = 32 * 1024

# The same content as it is written in JSON, where some characters take six bytes: with all else that is in a frame, it
# must fit into one.
ENCODED_CONTENT_BYTES_MAX = FRAME_BYTES_MAX - 1024

# msgIDs in one receipt call. At most 100 rows can be read with one BatchGetItem.
MSG_IDS_PER_CALL_MAX = 100

# Members invited by one call: about 100 transactions, well inside API Gateway's 29 s.
INVITED_PER_CALL_MAX = 5000

# Rows of one page, of whatever list.
PAGE_SIZE_MAX = 100

# Batches of changed receipts in one page of a catch-up: each may name 20 blocks of messages.
CHANGES_PER_PAGE_MAX = 10

# Segments (of 80 members) examined for one page of a read-members list, and nodes of sums to find them, so that its
# time and its read units stay bounded in a group of any size: 3 units a segment for its members, and one to 24 for what
# they have read, by how much of the message's block that is. A page may come out short, even empty; `isFinished` says
# whether there is more.
SEGMENTS_PER_PAGE_MAX = 16

# Live sockets of one user. TIM's premium multi-login allows 10 web and 3 for each native platform.
CONNECTIONS_PER_USER_MAX = 20

# A client's own name for a frame, which the answer repeats.
REQUEST_ID_LENGTH_MAX = 64

# API Gateway ends a WebSocket after two hours; the row outlives it by ten minutes.
CONNECTION_LIFETIME_S = 2 * 3600 + 600

# For so long after connecting, "gone" may only mean "not there yet": API Gateway says so until $connect has answered.
CONNECTING_S = 30

# How deep a message's data may be nested. Anything sane is a handful; JSON readers give up somewhere below a thousand.
NESTING_MAX = 64

# Invitations stop being tried after so long, and what is left is reported, inside API Gateway's 29 s.
INVITE_DEADLINE_S = 20

# The largest seq and ordinal a client may name: what a JavaScript number holds exactly.
SEQ_MAX = 2**53 - 1

# What retention may be set to: a hundred years.
RETENTION_DAYS_MAX = 36_500

# Unread messages are counted one by one up to here; as every chat client shows it, "99+".
UNREAD_COUNT_MAX = 100

# Messages examined to count the unread ones of a conversation, one's own among them.
UNREAD_EXAMINED_MAX = 500

# The end of the year 9999: tokens that claim to be good for longer are malformed.
TOKEN_EXPIRY_MAX_S = 253_402_300_799

# What a UserSig unpacks to: a handful of numbers, a userID, and a buffer that TIM limits to some hundred bytes.
USER_SIG_BYTES_MAX = 4096

# A webhook's URL; what browsers and servers agree on.
WEBHOOK_URL_LENGTH_MAX = 2000

# The longest pause between two attempts to post an event: a receiver that is back is told within a quarter of an hour.
WEBHOOK_PAUSE_MAX_S = 900

# How long one invocation waits for its posts, inside the function's 29 s.
WEBHOOK_BATCH_S = 15

# Users whose calls a function counts at a time; who called longest ago is forgotten first.
THROTTLED_USERS_MAX = 10_000

# How long a browser may go by an answer about who may call: what Chrome allows.
PREFLIGHT_KEPT_S = 7200

# HS256 wants a key as long as its hash (RFC 7518 §3.2).
TOKEN_KEY_BYTES_MIN = 32

# How long a function goes by a key it has read; and how soon it looks again when a signature fits no key it knows.
KEY_KEPT_S = 300
KEY_RECHECK_S = 5

# How long the key before the current one is accepted: longer than back ends take to change over.
KEY_OVERLAP_S = 24 * 3600

# Members that one function tells of a new message: ten requests to look them up, and some thousand posts, 16 at a time,
# in a second or two. A larger group is split, and told by several at once.
TOLD_BY_ONE_MAX = 1000
