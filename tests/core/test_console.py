from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.console import Console

DAY_MS = 24 * 3600 * 1000


@given(st.integers(0, 10**14), st.integers(0, 30 * DAY_MS), st.integers(1, 400))
def test_receipts_outlive_the_messages_they_are_about(sent_at_ms: int, later_ms: int, days: int) -> None:
    console = Console(retention_days=days)

    message_expires, receipt_expires = (
        console.message_expires_at_s(sent_at_ms),
        console.receipt_expires_at_s(sent_at_ms + later_ms),
    )

    assert message_expires is not None
    assert receipt_expires is not None
    assert receipt_expires - message_expires >= 7 * 24 * 3600


@given(st.integers(0, 10**9), st.integers(1, 400), st.lists(st.integers(0, DAY_MS - 1), min_size=2, max_size=5))
def test_repeating_a_receipt_on_the_same_day_writes_the_same(day: int, days: int, moments: list[int]) -> None:
    console = Console(retention_days=days)

    assert len({console.receipt_expires_at_s(day * DAY_MS + moment) for moment in moments}) == 1


def test_without_a_retention_nothing_expires() -> None:
    assert Console().message_expires_at_s(5) is None
    assert Console().receipt_expires_at_s(5) is None
