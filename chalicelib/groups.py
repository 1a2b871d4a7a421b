"""Groups and who is in them.

- Whoever creates a group owns it.
- Members may invite anybody. Who is not a member may join a Public, Meeting, Community or AVChatRoom group; a Work
  group looks to them as if it did not exist (only a groupID that is taken cannot be taken again).
- The owner may remove anybody; everybody may quit, but the owner only a Work group (as in TIM).
- Only members see the group and its list of members.
"""

import secrets
import time
from collections.abc import Iterable, Sequence
from itertools import islice

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib import answers, codes, limits, log, requests
from chalicelib.codes import Code, Refusal
from chalicelib.core import audience
from chalicelib.core.conversation import Conversation, is_group_id, is_user_id
from chalicelib.store import conversations, dynamo, members
from chalicelib.store.conversations import State

_JOINED_FREELY = ("Public", "Meeting", "Community", "AVChatRoom")

# Reading all members costs one read unit for about so many of them, asking for one user costs one.
_MEMBERS_PER_READ_UNIT = 34

# But all of them are read only where that is a few requests, one for each 80; in a larger group each user is asked for,
# 100 with a request.
_READ_TOGETHER_MAX = 800

# Rows examined for one page of members, so that a group which many have left answers in bounded time.
_ROWS_PER_PAGE_MAX = 1000


def create(caller: str, request: requests.CreateGroup) -> answers.Group:
    """createGroup, with the caller as owner and first member. Refuses with 10021, or 10025 if it is the caller's."""
    group_id = request.groupID or f"group-{secrets.token_hex(8)}"
    conversation = Conversation.of_group(group_id)
    state = State(
        conversation,
        seq=0,
        member_count=1,
        next_ordinal=1,
        group_type=request.groupType,
        name=request.name or group_id,
        owner=caller,
    )
    for _ in dynamo.tries():
        if members.open_group(state):
            break
        taken = conversations.find(conversation, consistent=True)
        if taken:
            raise Refusal(codes.GROUP_ID_TAKEN_BY_YOU if taken.owner == caller else codes.GROUP_ID_TAKEN)
    results = _join_all(conversation, request.memberList, inviter=None)
    created = conversations.find(conversation, consistent=True) or state
    return answers.group(created, _results(results))


def look_up(caller: str, group_id: str) -> answers.Group:
    """getGroupsInfo. Refuses with 10010."""
    return answers.group(_as_member(caller, group_id))


def invite(caller: str, group_id: str, request: requests.InviteMembers) -> answers.Invited:
    """inviteUserToGroup or joinGroup: any number of users, and what became of each. Refuses with 10010.

    Users join in transactions of up to 49. Where one fails, those before it have joined and are reported so. If the
    inviter is removed meanwhile, the rest is refused.
    """
    conversation = _conversation(group_id)
    is_member = audience.is_member(members.of_user(conversation, caller))
    if not is_member and not (set(request.userList) == {caller} and _is_joined_freely(conversation)):
        raise Refusal(codes.NO_SUCH_GROUP)
    return answers.Invited(_results(_join_all(conversation, request.userList, caller if is_member else None)))


def remove(caller: str, group_id: str, user_id: str) -> answers.Outcome:
    """quitGroup for oneself, kickGroupMember for another. Refuses with 6017, 7008, 10007, 10009, 10010 or 10019."""
    if not is_user_id(user_id):
        raise Refusal(codes.BAD_PARAMETERS, "This is not a userID.")
    conversation = Conversation.of_group(group_id)
    for attempt in dynamo.tries():
        conversations.make_way(conversation, attempt)
        state = _as_member(caller, group_id)  # every time: whoever removes may be removed meanwhile
        if user_id != caller and state.owner != caller:
            raise Refusal(codes.NOT_ALLOWED, "Only the owner may remove a member.")
        if user_id == state.owner and state.group_type != "Work":
            raise Refusal(codes.OWNER_STAYS)
        stays = [stay for stay in members.of_user(state.conversation, user_id) if stay.is_current]
        if not stays:
            raise Refusal(codes.NOT_A_MEMBER)
        if members.leave(state, stays[0]):
            break
    return answers.outcome(codes.OK)


def list_members(caller: str, group_id: str, request: requests.MemberPage) -> answers.Members:
    """getGroupMemberList: the current members in the order they joined. Refuses with 10010."""
    state = _as_member(caller, group_id)
    found: list[answers.Member] = []
    stays = members.in_order(state.conversation, request.nextSeq, consistent=False)
    examined = -1
    for stay in islice(stays, _ROWS_PER_PAGE_MAX):
        if len(found) == request.count:
            return answers.Members(found, nextSeq=stay.ordinal, isFinished=False)
        examined = stay.ordinal
        if stay.is_current:
            found.append(answers.Member(stay.user_id, "Owner" if stay.user_id == state.owner else "Member"))
    is_finished = examined < 0 or examined + 1 >= state.next_ordinal
    return answers.Members(found, nextSeq=0 if is_finished else examined + 1, isFinished=is_finished)


def _conversation(group_id: str) -> Conversation:
    """The group of this ID, if there is one. Refuses with 10010 where the ID could not be one."""
    if not is_group_id(group_id):
        raise Refusal(codes.NO_SUCH_GROUP)
    return Conversation.of_group(group_id)


def _is_joined_freely(conversation: Conversation) -> bool:
    state = conversations.find(conversation, consistent=True)
    return state is not None and state.group_type in _JOINED_FREELY


def _as_member(caller: str, group_id: str) -> State:
    """The group as it is now, for one of its members. Refuses with 10010.

    Whether there is the group is asked last: so whoever is no member is refused as soon where there is one as where
    there is none, and cannot tell by the time it takes.
    """
    conversation = _conversation(group_id)
    is_member = audience.is_member(members.of_user(conversation, caller))
    state = conversations.find(conversation, consistent=True) if is_member else None
    if state is None:
        raise Refusal(codes.NO_SUCH_GROUP)
    return state


def _join_all(conversation: Conversation, user_ids: Iterable[str], inviter: str | None) -> dict[str, Code]:
    """Let all of these users join, 49 to a transaction, and say what became of each.

    An inviter must be a member all the while; None stands for a group's creation, or for somebody who joins alone.
    """
    roll = _Roll(conversation, list(dict.fromkeys(user_ids)), inviter)
    outcome: dict[str, Code] = {}
    deadline = time.monotonic() + limits.INVITE_DEADLINE_S
    for start in range(0, len(roll.user_ids), members.JOINED_PER_TRANSACTION_MAX):
        batch = roll.user_ids[start : start + members.JOINED_PER_TRANSACTION_MAX]
        if time.monotonic() > deadline:
            outcome.update(dict.fromkeys(batch, codes.TOO_OFTEN))
            continue
        try:
            outcome.update(roll.join(batch))
        except Refusal as refusal:
            outcome.update(dict.fromkeys(batch, refusal.code))
        except (BotoCoreError, ClientError) as error:
            log.failure("join", error, conversation=conversation.conversation_id, users=len(batch))
            outcome.update(dict.fromkeys(batch, codes.SERVER_ERROR))
    return outcome


class _Roll:
    """Which of some users are members, kept up to date while they join batch by batch."""

    def __init__(self, conversation: Conversation, user_ids: Sequence[str], inviter: str | None) -> None:
        self.conversation = conversation
        self.user_ids = user_ids
        self.inviter = inviter
        self._present: set[str] = set()
        self._called_at: tuple[int, int] | None = None

    def join(self, batch: Sequence[str]) -> dict[str, Code]:
        """Let these join in one transaction. Refuses with 7008 if others get in between again and again, and with 10010
        if the inviter is no longer a member.

        The transaction holds only if nobody joined or left since the roll was called: so nobody becomes a member twice,
        and nobody is invited by somebody who has just been removed.
        """
        for attempt in dynamo.tries():
            conversations.make_way(self.conversation, attempt)
            state = conversations.find(self.conversation, consistent=True)
            if state is None:
                raise Refusal(codes.NO_SUCH_GROUP)
            if self._called_at != state.membership:
                if self.inviter and not audience.is_member(members.of_user(self.conversation, self.inviter)):
                    raise Refusal(codes.NO_SUCH_GROUP)
                self._present, self._called_at = _members_among(state, self.user_ids), state.membership
            newcomers = [user_id for user_id in batch if user_id not in self._present]
            outcome = {user_id: codes.OK if user_id in newcomers else codes.ALREADY_MEMBER for user_id in batch}
            joined = members.join(state, newcomers) if newcomers else state
            if joined:
                self._present.update(newcomers)
                self._called_at = joined.membership
                return outcome
        raise Refusal(codes.TOO_OFTEN)


def _members_among(state: State, user_ids: Sequence[str]) -> set[str]:
    """Those of these users who are members, by whichever way reads less."""
    if state.next_ordinal <= min(_MEMBERS_PER_READ_UNIT * len(user_ids), _READ_TOGETHER_MAX):
        stays = members.in_order(state.conversation, first=0)
        return {stay.user_id for stay in stays if stay.is_current}
    found = members.of_users(*((state.conversation, user_id) for user_id in user_ids))
    return {user_id for (_, user_id), stays in found.items() if audience.is_member(stays)}


def _results(outcome: dict[str, Code]) -> list[answers.UserResult]:
    return [answers.user_result(user_id, code) for user_id, code in outcome.items()]
