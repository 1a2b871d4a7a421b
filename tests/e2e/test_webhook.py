"""The webhook on the packaged stack: a real receiver, that is not there, fails, and then takes what it missed."""

from collections.abc import Callable

from chalicelib import tokens
from stack.local_stack import LocalStack
from tests.e2e.people import User
from tests.test_webhook import Receiver

Make = Callable[[str], User]


def test_a_receiver_that_fails_is_told_later_and_delays_nothing(user: Make, stack: LocalStack) -> None:
    ann, ben = user("hook-ann"), user("hook-ben")
    ann.create_group("hook", ["hook-ben"])
    admin_token = tokens.mint("admin", 600, stack.token_key, role="admin")
    receiver = Receiver(statuses=[503, 200])
    with User(stack.http, stack.websocket, "admin", admin_token) as admin, receiver.listening():
        admin.call("PUT", "/admin/settings", {"webhookURL": receiver.url})
        try:
            with ann.device() as hers:
                for _ in range(50):  # until the functions that run have heard of the URL
                    if receiver.posts:
                        break
                    message = ann.send("hi", group="hook")
                    ben.read(message)
                    hers.wait_for_count(message["msgID"], 1)
                told = {"Group.CallbackAfterReadReceipt", "allRead"}
                receiver.wait_until(lambda: receiver.has_again(0) and set(receiver.commands) == told)
        finally:
            admin.call("PUT", "/admin/settings", {"webhookURL": None})

    assert all(post.headers["webhook-signature"].startswith("v1,") for post in receiver.posts)
