"""Who may have read receipts: the edition, the client's version, the console, and the user's own switch.

- Only the premium edition has them. Below it, every receipt call and every message that asks for receipts is refused
  with 7013; ordinary messages are sent, and conversations marked read, as ever.
- A client that states a version needs 6.1.2155 for receipts in groups and 6.2.2363 for those in C2C; an older one gets
  7013. The time in a receipt that has a msgID is for 8.1 and later; others get the receipt without it. A client that
  states none is a current one.
- The console says in which types of groups, and up to which size, messages may ask for receipts. C2C messages always
  may. What was sent keeps its receipts, whatever the console says later.
- Who turned read receipts off sends none and sees none: see `preferences`.
"""

from chalicelib import codes
from chalicelib.codes import Refusal
from chalicelib.core.caller import C2C_RECEIPTS_SINCE, GROUP_RECEIPTS_SINCE, Caller
from chalicelib.core.conversation import Conversation
from chalicelib.store import console
from chalicelib.store.conversations import Draw


def check_edition() -> None:
    """Refuse with 7013 below the premium edition."""
    if not console.current().has_receipts:
        raise Refusal(
            codes.NOT_SUPPORTED,
            "Read receipts need the premium edition; an administrator sets it with PUT /v1/admin/settings. "
            "Messages that ask for none are sent as ever.",
        )


def check_client(caller: Caller, conversation: Conversation) -> None:
    """Refuse with 7013 whom the edition or their client's version keeps from receipts of this conversation."""
    check_edition()
    if not caller.sdk_version.has_receipts(in_group=conversation.is_group):
        kind, since = ("Group", GROUP_RECEIPTS_SINCE) if conversation.is_group else ("C2C", C2C_RECEIPTS_SINCE)
        raise Refusal(
            codes.NOT_SUPPORTED,
            f"{kind} read receipts need SDK {'.'.join(map(str, since))} or later; "
            f"this client says that it is {caller.sdk_version.text}.",
        )


def check_group(draw: Draw) -> None:
    """Refuse with 45004 or 45005 a message that asks for receipts where the console does not allow it."""
    settings = console.current()
    if draw.group_type not in settings.receipt_group_types:
        allowed = ", ".join(settings.receipt_group_types) or "none"
        raise Refusal(
            codes.GROUP_TYPE_WITHOUT_RECEIPTS,
            f"{draw.group_type} groups have no read receipts here (those that have: {allowed}); "
            "send the message without asking for one.",
        )
    if settings.group_size_max is not None and draw.member_count > settings.group_size_max:
        raise Refusal(
            codes.GROUP_TOO_LARGE,
            f"Groups of more than {settings.group_size_max} members have no read receipts here; "
            "send the message without asking for one.",
        )
