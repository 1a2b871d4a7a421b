"""Every way into the read-receipt service: HTTP calls, socket frames, what the tables' streams report, queues.

    a reader's client ── POST /v1/read-receipts ──▶ Reads ── stream ──▶ push_receipts ──▶ Receipts (tiles of bits)
                                                                           └──▶ the sender's sockets: "3 have read it"

A read is written down once, as a fact (`read_receipts.send`). Its stream record is what is new about it; the trigger
folds that into tiles, counts, and pushes the counts to the sender.

The handlers are in `chalicelib/handlers/`, a sentence each, by what wakes them; `chalicelib/__init__` is the map of
what they say.
"""

from chalice.app import Chalice

from chalicelib.handlers.http import http
from chalicelib.handlers.page import page
from chalicelib.handlers.queues import queues
from chalicelib.handlers.sockets import sockets
from chalicelib.handlers.streams import streams
from chalicelib.http import preflight

app = Chalice(app_name="read-receipts")
app.experimental_feature_flags.add("WEBSOCKETS")

for blueprint in (http, page, sockets, streams, queues):
    app.register_blueprint(blueprint)
for path in list(app.routes):  # what browsers ask before a page of another origin may call
    app.route(path, methods=["OPTIONS"], name=f"preflight {path}")(preflight)
