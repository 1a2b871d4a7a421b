"""What users and administrators set: the read-receipt switch, and the console.

The switch, off, is enforced here on the server, and reciprocal:

- Receipts that the user sends are withheld: the call succeeds and says so, and nothing is written down. They appear as
  unread and nowhere as read. In C2C the peer is not told either that the conversation was marked read.
- Messages that the user sends ask for no receipts, whatever the client says, and never will have any.
- The user sees no receipts, asked for or pushed, as long as the switch is off.
- Turned on again, it goes on from there: what was withheld was never written down, so there is nothing to reveal.
- The user's own unread counts, on all their devices, go on as ever.
- An administrator may forbid turning it off. Who has done so before keeps it off: nobody is exposed unasked.
"""

from msgspec import UNSET

from chalicelib import answers, codes, requests, settings
from chalicelib.codes import Refusal
from chalicelib.core import webhook
from chalicelib.core.caller import Caller
from chalicelib.store import console, users


def read(caller: str) -> answers.Settings:
    """The user's switch, and whether it may be turned off."""
    return answers.Settings(users.find(caller).read_receipts, console.current().may_turn_receipts_off)


def write(caller: str, request: requests.ChangeSettings) -> answers.Settings:
    """Turn the user's switch. Refuses with 45007 to turn it off where an administrator forbids that."""
    is_turned_off = users.find(caller).read_receipts and not request.readReceipts
    if is_turned_off and not console.current().may_turn_receipts_off:
        raise Refusal(codes.MAY_NOT_TURN_OFF)
    users.turn_read_receipts(caller, request.readReceipts)
    return answers.Settings(request.readReceipts, console.current().may_turn_receipts_off)


def read_console(caller: Caller) -> answers.AdminSettings:
    """The console. Refuses with 60010 whoever is no administrator."""
    _check_admin(caller)
    console.forget()
    return answers.admin_settings(console.current())


def write_console(caller: Caller, request: requests.ChangeAdminSettings) -> answers.AdminSettings:
    """Change what is named in the request, and nothing else. Refuses with 60010, or 6017 for an unfit webhook."""
    _check_admin(caller)
    if request.webhookURL:
        try:
            webhook.check_url(request.webhookURL, is_local=settings.is_local())
        except ValueError as error:
            raise Refusal(codes.BAD_PARAMETERS, str(error)) from error
    types = request.receiptGroupTypes
    named = {
        "receipt_group_types": types if types is UNSET else sorted(set(types)),
        "edition": request.edition,
        "group_size_max": request.receiptGroupSizeMax,
        "may_turn_receipts_off": request.mayTurnReceiptsOff,
        "retention_days": request.retentionDays,
        "webhook_url": request.webhookURL,
    }
    console.change(**{name: value for name, value in named.items() if value is not UNSET})
    return answers.admin_settings(console.current())


def _check_admin(caller: Caller) -> None:
    if not caller.is_admin:
        raise Refusal(codes.NOT_ADMIN)
