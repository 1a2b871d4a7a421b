"""Webhooks: receipts are told to the product's back end, if the console has a URL for that, by way of a queue.

The stream's trigger only writes to the queue, and then counts its records as done. What posts is woken by the queue: a
receiver that is slow or dead costs nobody else anything, and is tried again for about a day, less and less often. After
that the event is put aside in WebhookFailures. An event may come twice, with the same ID.
"""

import random
import socket
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
import urllib3

from chalicelib import clock, keys, limits, log, queue, settings
from chalicelib.core import webhook
from chalicelib.core.conversation import Conversation
from chalicelib.core.webhook import Event, Read
from chalicelib.store import console, conversations

_TIMEOUT = urllib3.Timeout(connect=2, read=5)


def note(reads: Mapping[Conversation, Sequence[Read]]) -> None:
    """Queue what is to be told of these reads, if there is a URL for it. ClientError if the queue does not take it."""
    if not reads or not console.current().webhook_url:
        return
    now_ms = clock.now_ms()
    events = [
        msgspec.json.encode(event).decode()
        for conversation, news in reads.items()
        for event in webhook.events(conversation, _group_type(conversation), news, now_ms)
    ]
    queue.send(settings.webhook_queue(), events)


def handle(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Post a batch of queued events. Returns the IDs of the queue's messages that must come again, and are put off."""
    url = console.current().webhook_url
    if url is None:  # taken away since: there is nobody to tell
        log.line("webhooks", records=len(records), sent=0, failed=0)
        return []
    failed = _unsent(url, records)
    for record in failed:
        _put_off(record)
    log.count("WebhooksSent", len(records) - len(failed))
    log.count("WebhooksFailed", len(failed))
    log.line("webhooks", records=len(records), sent=len(records) - len(failed), failed=len(failed))
    return [record["messageId"] for record in failed]


def _unsent(url: str, records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Post them all at once; those that were not taken within the time there is."""
    pool = ThreadPoolExecutor(len(records))
    posts = {pool.submit(_post, url, record): record for record in records}
    wait(posts, timeout=limits.WEBHOOK_BATCH_S)
    pool.shutdown(wait=False, cancel_futures=True)  # a receiver that dribbles is not waited for
    return [record for post, record in posts.items() if not post.done() or not post.result()]


def _post(url: str, record: Mapping[str, Any]) -> bool:
    """Whether the receiver took an event: it answered with a 2xx. A redirect is no such answer, and is not followed."""
    try:
        event = msgspec.json.decode(record["body"], type=Event)
        status = _status(url, event)
    except Exception as error:  # noqa: BLE001  # whatever it is, it concerns this event alone
        log.line("webhook", message=record["messageId"], error=type(error).__name__, why=str(error)[:200])
        return False
    if not 200 <= status < 300:
        log.line("webhook", message=record["messageId"], id=event.event_id, status=status)
    return 200 <= status < 300


def _status(url: str, event: Event) -> int:
    """Post one event, and return the status that is answered; nothing more of the answer is read."""
    is_local = settings.is_local()
    webhook.check_url(url, is_local=is_local)
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or {"https": 443, "http": 80}[parts.scheme]
    # The address that was checked is the one that is called, whatever the name leads to a moment later.
    address = _address(host, port, is_local=is_local)
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            address, port, cert_reqs="CERT_REQUIRED", server_hostname=host, assert_hostname=host
        )
    else:
        pool = urllib3.HTTPConnectionPool(address, port)
    body = msgspec.json.encode(event.body)
    at_s = clock.now_ms() // 1000
    headers = {
        "Host": parts.netloc,
        "Content-Type": "application/json",
        "User-Agent": "read-receipts",
        "webhook-id": event.event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": webhook.signature(event.event_id, at_s, body, keys.good(keys.WEBHOOK)),
    }
    with pool:
        response = pool.request(
            "POST", _target(url, event), body=body, headers=headers, timeout=_TIMEOUT, retries=False, redirect=False,
            preload_content=False,
        )  # fmt: skip
        response.close()
    return response.status


def _target(url: str, event: Event) -> str:
    """The path to post to, with TIM's query parameters; not the reader's address and platform, which are not kept."""
    parts = urlsplit(url)
    app_id = settings.usersig_app_id()
    ours = {"CallbackCommand": event.command, "contenttype": "json"}
    query = urlencode({"SdkAppid": app_id, **ours} if app_id is not None else ours)
    return f"{parts.path or '/'}?{parts.query}&{query}" if parts.query else f"{parts.path or '/'}?{query}"


def _address(host: str, port: int, *, is_local: bool) -> str:
    """Where a name leads. PermissionError if any of it is an address that may not be called."""
    found = socket.getaddrinfo(host, port, family=socket.AF_INET, type=socket.SOCK_STREAM)
    addresses = [str(address[0]) for *_, address in found]
    if not addresses or not all(webhook.may_be_called(address, is_local=is_local) for address in addresses):
        raise PermissionError("The webhook's host has a private, link-local or otherwise special address.")
    return addresses[0]


def _put_off(record: Mapping[str, Any]) -> None:
    """Let a message come again, the later the more often it has come. If that fails it comes after the usual time."""
    pause_s = webhook.retry_after_s(int(record["attributes"]["ApproximateReceiveCount"]))
    try:
        queue.client().change_message_visibility(
            QueueUrl=settings.webhook_queue(),
            ReceiptHandle=record["receiptHandle"],
            VisibilityTimeout=max(1, round(pause_s * random.uniform(0.5, 1))),
        )
    except Exception as error:  # noqa: BLE001  # it comes again all the same
        log.failure("put off", error, message=record["messageId"])


def _group_type(conversation: Conversation) -> str:
    state = conversations.find(conversation) if conversation.is_group else None
    return state.group_type if state else ""
