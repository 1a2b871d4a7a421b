from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.console import NEVER_S, Console, receipt_expires_at_s

DAY_S = 24 * 3600


@given(st.integers(0, 10**13), st.integers(1, 36_500))
def test_receipts_outlive_the_messages_they_are_about(sent_at_ms: int, days: int) -> None:
    message_expires = Console(retention_days=days).message_expires_at_s(sent_at_ms)

    assert message_expires == sent_at_ms // 1000 + days * DAY_S
    assert 7 * DAY_S <= receipt_expires_at_s(message_expires) - message_expires < 8 * DAY_S


@given(st.integers(0, 10**9), st.lists(st.integers(1, DAY_S), min_size=2, max_size=5))
def test_what_expires_on_one_day_is_kept_until_the_same_midnight(day: int, seconds: list[int]) -> None:
    assert len({receipt_expires_at_s(day * DAY_S + second) for second in seconds}) == 1


def test_without_a_retention_nothing_expires() -> None:
    assert Console().message_expires_at_s(5) is None
    assert receipt_expires_at_s(None) == NEVER_S


def test_only_the_premium_edition_has_receipts() -> None:
    assert Console().has_receipts
    assert Console().may_turn_receipts_off
    assert not Console(edition="standard").has_receipts
