"""Every code a caller can get: V2TIM's number where TIM has one for the case, 45000-45999 where it has none.

A `Refusal` carries a code up to the edge (`http.py`, `sockets.py`), which turns it into `{"code", "desc"}`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """What went wrong: TIM's (or our) number, the HTTP status it travels with, and a sentence for the developer."""

    number: int
    http_status: int
    desc: str


OK = Code(0, 200, "OK")

# V2TIM's numbers.
BAD_PARAMETERS = Code(6017, 400, "The parameters are not valid.")
TOO_OFTEN = Code(7008, 429, "Too often, or too much at once; try again.")
NOT_SUPPORTED = Code(7013, 403, "This needs another edition, or a later version of the client.")
OWN_MESSAGE = Code(7014, 403, "One does not send a receipt for one's own message.")
SERVER_ERROR = Code(10002, 500, "The server failed; nothing is known to be lost, try again.")
UNKNOWN_ROUTE = Code(10003, 404, "There is no such call.")
NOT_ALLOWED = Code(10007, 403, "You may not do this in this group.")
OWNER_STAYS = Code(10009, 403, "The owner may quit only a Work group.")
NO_SUCH_GROUP = Code(10010, 404, "There is no such group, or you are not a member of it.")
ALREADY_MEMBER = Code(10013, 409, "This user is a member already.")
NOT_A_MEMBER = Code(10019, 404, "This user is not a member of the group.")
GROUP_ID_TAKEN = Code(10021, 409, "This groupID is taken.")
GROUP_ID_TAKEN_BY_YOU = Code(10025, 409, "This groupID is taken, and you own the group.")
NO_RECEIPT = Code(10062, 404, "This message did not ask for read receipts.")
NOT_ADMIN = Code(60010, 403, "This is for administrators: the token needs `role: admin`.")
TOKEN_EXPIRED = Code(70001, 401, "The token has expired.")
TOKEN_MISSING = Code(70002, 401, "There is no token; send `Authorization: Bearer <token>`.")
TOKEN_BAD = Code(70003, 401, "The token is not valid.")
TOKEN_WRONG_KEY = Code(70009, 401, "The token was signed with another key.")
TOKEN_OTHER_USER = Code(70013, 401, "The token is of another user than the one that is stated.")
TOKEN_OTHER_APP = Code(70014, 401, "The UserSig is of another app.")
CONTENT_TOO_LONG = Code(80002, 413, "The content is too long.")

# Ours, where TIM has no number.
NO_SUCH_MESSAGE = Code(45001, 404, "There is no such message, or you may not see it.")
NOT_IN_AUDIENCE = Code(45002, 403, "You were not a member of the group when this message was sent.")
TOO_MANY_CONNECTIONS = Code(45003, 429, "This user has too many live connections.")
GROUP_TYPE_WITHOUT_RECEIPTS = Code(45004, 403, "Groups of this type have no read receipts here.")
GROUP_TOO_LARGE = Code(45005, 403, "Groups of this size have no read receipts here.")
RECEIPTS_TURNED_OFF = Code(45006, 403, "You have read receipts turned off: who sends none sees none.")
MAY_NOT_TURN_OFF = Code(45007, 403, "The administrator does not allow read receipts to be turned off.")


class Refusal(Exception):
    """Something the caller asked for was not done, and why.

    `desc` replaces the code's own sentence where there is something sharper to say.
    """

    def __init__(self, code: Code, desc: str = "") -> None:
        super().__init__(code.number, desc or code.desc)
        self.code = code
        self.desc = desc or code.desc
