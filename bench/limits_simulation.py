"""What AWS's limits would do to one message in a group of a million, read by 100,000 members a second.

    python -m bench.limits_simulation

No local AWS has these limits, so this is arithmetic, second by second, with the sizes and keys of the code. What it
assumes of AWS, and of how long things take there, is in `Assumptions` and nowhere else.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.core.sums import FAN_OUT, level_of, pack
from chalicelib.core.tiles import SEGMENT_SIZE
from chalicelib.limits import TOLD_BY_ONE_MAX

MEMBERS = 1_000_000
RECEIPTS_PER_S = 100_000


@dataclass(frozen=True)
class Assumptions:
    """Everything that is not in the code. Limits are AWS's documented defaults, times are guesses on the safe side."""

    partition_write_units: int = 1_000  # of DynamoDB, a second
    partition_read_units: int = 3_000
    socket_posts_per_s: int = 10_000  # API Gateway, for the account and region; raised on request
    http_calls_per_s: int = 10_000  # likewise
    lambda_concurrency: int = 1_000  # likewise
    call_s: float = 0.02  # one receipt call in a warm function: two requests to DynamoDB, and its processor time
    request_s: float = 0.005  # one request to DynamoDB
    post_s: float = 0.01  # one post to a socket
    kept_s: float = 60  # how long a function keeps a message's header (chalicelib.store.messages)
    reads_partitions: int = 128  # Reads has been warmed up for the load; a partition is a shard of its stream
    stream_batch: int = 1_000  # records, of .chalice and chalicelib.handlers.streams
    online: float = 0.2  # members with a socket
    tellers: int = 6  # functions that tell a message at once (MaximumConcurrency of TellMembers)
    posts_at_once: int = 16  # of one function (chalicelib.together)


@dataclass(frozen=True)
class Load:
    """What something has to take in a second, and what it can."""

    what: str
    offered: float
    limit: float

    @property
    def verdict(self) -> str:
        if self.offered <= self.limit:
            return f"{self.offered / self.limit:6.1%}"
        return f"{self.offered / self.limit:5.1f} × too much"


def loads(given: Assumptions) -> Iterator[Load]:
    """Each limit that the load meets, in the order in which a receipt meets them."""
    yield Load("HTTP calls", RECEIPTS_PER_S, given.http_calls_per_s)
    functions = RECEIPTS_PER_S * given.call_s
    yield Load("functions at once, for calls", functions, given.lambda_concurrency)
    yield Load("read units of the message, if each call read it", RECEIPTS_PER_S * 0.5, given.partition_read_units)
    yield Load("read units of the message, as functions keep it", functions / given.kept_s, given.partition_read_units)
    yield Load("read units of members, if the group were one partition", RECEIPTS_PER_S, given.partition_read_units)
    yield Load("read units of Stays, the busiest row", 1, given.partition_read_units)
    segments = math.ceil(MEMBERS / SEGMENT_SIZE)
    yield Load(
        "write units of Reads, a partition", RECEIPTS_PER_S / given.reads_partitions, given.partition_write_units
    )
    yield Load("write units of Reads, the busiest segment", RECEIPTS_PER_S / segments, given.partition_write_units)

    batches = RECEIPTS_PER_S / given.stream_batch
    tiles = _tiles_in_a_batch(given, segments)
    yield Load("functions at once, for the stream", given.reads_partitions, given.lambda_concurrency)
    yield Load("write units of Receipts, all tiles of the group", batches * tiles, given.partition_write_units)
    offered = batches * tiles
    for level in range(1, level_of(MEMBERS) + 1):
        children = math.ceil(segments / FAN_OUT ** (level - 1))
        nodes = math.ceil(children / FAN_OUT)
        units = math.ceil(min(children, FAN_OUT) * (len(pack({0: 1}, level)) + 12) / 1024)
        touched = nodes * (1 - (1 - 1 / nodes) ** tiles)
        offered = batches * touched * units / nodes
        yield Load(
            f"write units of Sums, a node of level {level} ({nodes:,} of them)", offered, given.partition_write_units
        )
    yield Load("posts of receipts to the sender's device", batches, given.socket_posts_per_s)

    posts = given.tellers * given.posts_at_once / given.post_s
    yield Load("posts of the new message", posts, given.socket_posts_per_s)


def _tiles_in_a_batch(given: Assumptions, segments: int) -> float:
    """How many tiles the records of one batch are of, when members read in any order: the mean of some batches."""
    chance = random.Random(1)
    of_shard = range(segments // given.reads_partitions)
    batches = [len({chance.choice(of_shard) for _ in range(given.stream_batch)}) for _ in range(20)]
    return sum(batches) / len(batches)


def main() -> None:
    given = Assumptions()
    print(f"One message, {MEMBERS:,} members, {RECEIPTS_PER_S:,} receipts a second.\n")
    print(f"{'each second':62} {'offered':>10} {'limit':>8}")
    for load in loads(given):
        print(f"{load.what:62} {load.offered:10,.0f} {load.limit:8,.0f}  {load.verdict}")
    arrive_s = MEMBERS / RECEIPTS_PER_S
    print(
        f"\nThe receipts are all durable after {arrive_s:.0f} s, if the account's limits for calls are raised to that."
    )
    print(f"They are all counted after {_counted_after_s(given, arrive_s):.0f} s, by what the tiles' partition takes.")
    ranges = math.ceil(MEMBERS / TOLD_BY_ONE_MAX)
    looking_up_s = (math.ceil(TOLD_BY_ONE_MAX / SEGMENT_SIZE) + math.ceil(TOLD_BY_ONE_MAX / 100)) * given.request_s
    telling_s = TOLD_BY_ONE_MAX * given.online / given.posts_at_once * given.post_s
    print(
        f"The message is told after {ranges / given.tellers * (looking_up_s + telling_s):.0f} s, in {ranges:,} ranges."
    )


def _counted_after_s(given: Assumptions, arrive_s: float) -> float:
    """Second by second: what waits in a shard is folded in batches, whose tiles all go to the group's one partition.

    The longer the queues, the fuller the batches: at 1,000 records of a shard each batch writes nearly all the tiles of
    the shard, however many records it has.
    """
    segments = math.ceil(MEMBERS / SEGMENT_SIZE)
    tiles = _tiles_in_a_batch(given, segments)
    waiting, second = 0.0, 0
    while True:
        second += 1
        waiting += RECEIPTS_PER_S if second <= arrive_s else 0
        waiting -= min(waiting, given.partition_write_units / tiles * given.stream_batch)
        if waiting <= 0 and second >= arrive_s:
            return second


if __name__ == "__main__":
    main()
