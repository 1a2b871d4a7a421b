"""Catching up after a reconnect: the receipts of own messages that changed since.

- Nothing is missed: a cursor never moves past what may still be on its way, and so lags a minute behind.
- At worst something comes twice: receipts carry the counts of the moment, and counts only grow, so that does no harm.
- Changes are kept for a week. A cursor that is older says so, and the client asks for all it shows (`…/query`).
"""

from collections import defaultdict

from chalicelib import answers, clock, codes, entitlement, read_receipts, requests
from chalicelib.codes import Refusal
from chalicelib.core.caller import Caller
from chalicelib.core.conversation import Conversation
from chalicelib.store import changes, users

# A change is stamped right before it is written. A write that is answered late is given up within 20 s (`dynamo`), and
# clocks of functions differ by less than a second; a minute is three times that.
_ON_ITS_WAY_MS = 60_000


def changes_since(caller: Caller, request: requests.ChangesSince) -> answers.Changes:
    """A page of the receipts that changed since the cursor; without one, nothing but the cursor to begin with.

    Refuses with 6017, 7013 or 45006.
    """
    entitlement.check_edition()
    if not users.find(caller.user_id).read_receipts:
        raise Refusal(codes.RECEIPTS_TURNED_OFF)
    settled = changes.cursor_at(clock.now_ms() - _ON_ITS_WAY_MS)
    if not request.since:
        return answers.Changes([], cursor=settled, isFinished=True, isComplete=True)
    try:
        is_complete = changes.ms_of(request.since) > clock.now_ms() - changes.KEPT_S * 1000
    except ValueError as error:
        raise Refusal(codes.BAD_PARAMETERS, "`since` is not a cursor that this call gave.") from error
    found = changes.after(caller.user_id, request.since, request.count + 1)
    page = found[: request.count]
    is_finished = len(found) == len(page)
    # On the way, on from what was shown; at the end, back to where everything has settled.
    cursor = settled if is_finished else page[-1].cursor
    seqs: dict[Conversation, set[int]] = defaultdict(set)
    for change in page:
        for conversation, changed in change.seqs.items():
            seqs[conversation].update(changed)
    receipts = [
        answers.receipt(receipt, caller.sdk_version)
        for conversation, changed in seqs.items()
        if caller.sdk_version.has_receipts(in_group=conversation.is_group)
        for receipt in read_receipts.receipts_of_own(caller.user_id, conversation, sorted(changed))
    ]
    return answers.Changes(receipts, cursor, is_finished, is_complete)
