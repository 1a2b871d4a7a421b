from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.audience import Membership, audience_size, covering, is_member, may_see, memberships_in_c2c
from chalicelib.core.conversation import Conversation


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[Membership], list[tuple[int, str, int]]]:
    """A group's life: who joined and left when, and for each message its seq, its sender and the members at that time.

    This is the rule told the other way round, as it happens: whoever is in when a message is sent is in its audience.
    """
    stays: dict[int, Membership] = {}
    present: dict[str, int] = {}
    sent: list[tuple[int, str, int]] = []
    seq = 0
    for user, action in draw(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["move", "send"])))):
        if action == "send" and user in present:
            seq += 1
            sent.append((seq, user, len(present)))
        elif action == "move" and user in present:
            ordinal = present.pop(user)
            stays[ordinal] = Membership(ordinal, user, stays[ordinal].joined_seq, left_seq=seq)
        elif action == "move":
            present[user] = len(stays)
            stays[len(stays)] = Membership(len(stays), user, joined_seq=seq)
    return list(stays.values()), sent


@given(histories())
def test_the_audience_is_everybody_who_was_in_when_it_was_sent_but_the_sender(
    history: tuple[list[Membership], list[tuple[int, str, int]]],
) -> None:
    stays, sent = history

    for seq, sender, member_count in sent:
        audience = [stay for stay in stays if stay.covers(seq) and stay.user_id != sender]
        assert len(audience) == audience_size(member_count)
        assert len({stay.user_id for stay in audience}) == len(audience)


@given(histories())
def test_a_user_has_at_most_one_membership_for_a_message(
    history: tuple[list[Membership], list[tuple[int, str, int]]],
) -> None:
    stays, sent = history

    for seq, _, _ in sent:
        for user in "abcd":
            covers = [stay for stay in stays if stay.user_id == user and stay.covers(seq)]
            assert len(covers) <= 1
            assert covering((stay for stay in stays if stay.user_id == user), seq) == (covers[0] if covers else None)


def test_who_joins_later_is_not_counted() -> None:
    assert not Membership(1, "bob", joined_seq=5).covers(5)
    assert Membership(1, "bob", joined_seq=5).covers(6)


def test_who_leaves_stays_in_the_audience_of_what_was_sent_before() -> None:
    left = Membership(1, "bob", joined_seq=0, left_seq=5)

    assert left.covers(5)
    assert not left.covers(6)


def test_who_rejoins_counts_under_the_membership_of_that_time() -> None:
    stays = [Membership(1, "bob", joined_seq=0, left_seq=2), Membership(4, "bob", joined_seq=5)]

    assert [stay and stay.ordinal for stay in (covering(stays, seq) for seq in (1, 2, 3, 5, 6))] == [
        1,
        1,
        None,
        None,
        4,
    ]


def test_only_current_members_are_shown_what_they_were_sent() -> None:
    left = [Membership(1, "bob", joined_seq=0, left_seq=5)]
    back = [*left, Membership(4, "bob", joined_seq=9)]

    assert not is_member(left)
    assert not may_see(left, 3)
    assert is_member(back)
    assert [may_see(back, seq) for seq in (3, 5, 6, 9, 10)] == [True, True, False, False, True]


def test_the_two_users_of_a_c2c_conversation_have_ordinals_0_and_1() -> None:
    stays = memberships_in_c2c(Conversation.between("bob", "alice"))

    assert [(stay.ordinal, stay.user_id) for stay in stays] == [(0, "alice"), (1, "bob")]
    assert all(stay.covers(1) and stay.is_current for stay in stays)
