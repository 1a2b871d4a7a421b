import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.caller import Caller, SDKVersion


def test_nobody_is_an_administrator_unless_it_is_said() -> None:
    assert not Caller("alice").is_admin


numbers = st.lists(st.integers(0, 99_999), min_size=1, max_size=4)


def version(*parts: int) -> SDKVersion:
    return SDKVersion.parse(".".join(map(str, parts)))


@given(numbers, numbers)
def test_versions_compare_as_numbers(one: list[int], other: list[int]) -> None:
    longest = max(len(one), len(other))
    padded = [parts + [0] * (longest - len(parts)) for parts in (one, other)]

    assert version(*one).is_at_least(tuple(other)) == (padded[0] >= padded[1])


@pytest.mark.parametrize(
    ("text", "group", "c2c", "time"),
    [
        ("", True, True, True),
        ("6", False, False, False),
        ("6.1.2154", False, False, False),
        ("6.1.2155", True, False, False),
        ("6.2.2362", True, False, False),
        ("6.2.2363", True, True, False),
        ("6.10", True, True, False),
        ("8.0.9999", True, True, False),
        ("8.1", True, True, True),
        ("8.1.0", True, True, True),
        ("8.1.6116", True, True, True),
        ("10.0", True, True, True),
    ],
)
def test_the_pages_gates(text: str, group: bool, c2c: bool, time: bool) -> None:
    client = SDKVersion.parse(text)

    assert (client.has_receipts(in_group=True), client.has_receipts(in_group=False)) == (group, c2c)
    assert client.has_receipt_time == time


@pytest.mark.parametrize(
    "text", ["x", "8.", ".8", "8..1", "8.1-beta", "-1", "8.1.2.3.4", "１", " 8.1", "8.1\n", "9" * 10]
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a version"):
        SDKVersion.parse(text)


def test_what_is_not_said_of_a_version_is_zero() -> None:
    assert not version(8, 1).is_at_least((8, 1, 1))
    assert version(8, 1).is_at_least((8, 1, 0))
