"""Standing: what nearly every call has to know of its caller, read with one request from three tables.

Nothing of it is kept but the messages' headers: a switch that was just turned, or a member who was just removed, counts
from the next call on.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.core import audience
from chalicelib.core.audience import Membership
from chalicelib.core.conversation import Conversation
from chalicelib.core.message import Header
from chalicelib.store import dynamo, members, messages, stays, users
from chalicelib.store.users import User


@dataclass(frozen=True)
class Standing:
    """A user, their stays in a conversation, and the headers of those of some messages that exist, by seq."""

    user: User
    stays: list[Membership]
    headers: dict[int, Header]


def find(conversation: Conversation, user_id: str, seqs: Iterable[int] = ()) -> Standing:
    """How a user stands in a conversation as of now, and with these messages of it.

    Headers are read as `messages.headers` does, and consistently only where the user may have been sent the message.
    """
    wanted = set(seqs)
    headers = messages.kept(conversation, wanted)
    who = [(conversation, user_id)] if conversation.is_group else []
    user_rows, stay_rows, message_rows = dynamo.look_up(
        users.lookup(user_id),
        stays.lookup(*who),
        messages.lookup(conversation, wanted - headers.keys(), consistent=False),
    )
    headers.update(messages.keep(message_rows))
    ((_, found),) = members.among([(conversation, user_id)], stay_rows).items()
    covered = {seq for seq in wanted - headers.keys() if audience.covering(found, seq)}
    if covered:
        (message_rows,) = dynamo.look_up(messages.lookup(conversation, covered, consistent=True))
        headers.update(messages.keep(message_rows))
    return Standing(users.one_of(user_id, user_rows), found, headers)
