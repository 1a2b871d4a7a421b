import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.core.conversation import Conversation, decode_msg_id, encode_msg_id, is_group_id, is_user_id
from chalicelib.limits import SEQ_MAX

ALPHABET = "ABCabc019_-.@#"
DOTS = (".", "..")  # what URLs make something else of
user_ids = st.text(ALPHABET, min_size=1, max_size=32).filter(lambda text: text not in DOTS)
group_ids = st.text(ALPHABET, min_size=1, max_size=48).filter(lambda text: text not in DOTS)
conversations = st.one_of(
    group_ids.map(Conversation.of_group),
    st.tuples(user_ids, user_ids).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: Conversation.between(*pair)),
)
seqs = st.integers(min_value=1, max_value=SEQ_MAX)


@given(conversations, seqs)
def test_a_msg_id_comes_apart_into_what_it_was_made_of(conversation: Conversation, seq: int) -> None:
    assert decode_msg_id(encode_msg_id(conversation, seq)) == (conversation, seq)


def test_the_longest_names_and_the_largest_seq_are_allowed_and_no_more() -> None:
    group, alice, bob = "g" * 48, "a" * 32, "b" * 32

    for conversation in (Conversation.of_group(group), Conversation.between(alice, bob)):
        assert decode_msg_id(encode_msg_id(conversation, SEQ_MAX)) == (conversation, SEQ_MAX)
        with pytest.raises(ValueError, match="not a msgID"):
            decode_msg_id(encode_msg_id(conversation, SEQ_MAX + 1))
    assert [is_group_id(group), is_group_id(group + "g"), is_user_id(alice), is_user_id(alice + "a")] == [
        True,
        False,
        True,
        False,
    ]


@given(conversations, seqs)
def test_a_msg_id_needs_no_escaping_in_a_url_and_fits_its_limit(conversation: Conversation, seq: int) -> None:
    msg_id = encode_msg_id(conversation, seq)

    assert len(msg_id) <= 128
    assert all(character.isascii() and (character.isalnum() or character in "-_") for character in msg_id)


@given(st.text(max_size=60))
def test_whatever_is_accepted_as_a_msg_id_is_exactly_what_we_would_have_made(text: str) -> None:
    try:
        conversation, seq = decode_msg_id(text)
    except ValueError:
        return

    assert encode_msg_id(conversation, seq) == text


@given(conversations, st.sampled_from(["0", "-1", "01", "1 ", "+1", "1_0", "١", "1.0", "", str(SEQ_MAX + 1)]))
def test_a_msg_id_with_a_strange_number_is_refused(conversation: Conversation, digits: str) -> None:
    from base64 import urlsafe_b64encode

    forged = urlsafe_b64encode(f"{conversation.conversation_id}~{digits}".encode()).decode().rstrip("=")

    with pytest.raises(ValueError, match="not a msgID"):
        decode_msg_id(forged)


def test_a_padded_or_otherwise_respelt_msg_id_is_refused() -> None:
    msg_id = encode_msg_id(Conversation.of_group("g"), 7)

    for respelt in (msg_id + "=", msg_id + "\n", " " + msg_id, msg_id[:-1]):
        with pytest.raises(ValueError, match="not a msgID"):
            decode_msg_id(respelt)


@given(user_ids, user_ids)
def test_both_users_of_a_c2c_conversation_mean_the_same_one(alice: str, bob: str) -> None:
    if alice == bob:
        return
    conversation = Conversation.between(alice, bob)

    assert conversation == Conversation.between(bob, alice)
    assert conversation == Conversation.named_by(alice, f"c2c_{bob}") == Conversation.named_by(bob, f"c2c_{alice}")
    assert (conversation.peer_of(alice), conversation.peer_of(bob)) == (bob, alice)
    assert conversation.named_for(alice) == f"c2c_{bob}"
    assert sorted(conversation.users) == sorted((alice, bob))


@given(conversations)
def test_the_canonical_id_parses_to_itself(conversation: Conversation) -> None:
    assert Conversation.parse(conversation.conversation_id) == conversation
    assert conversation.is_group == bool(conversation.group_id) == (not conversation.users)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "c2c_",
        "group_",
        "c2c_alice",
        "c2c_a~b",
        "group_a~b",
        "group_ü",
        "x_a",
        "group_a b",
        "group_" + "g" * 49,
        "group_.",
        "group_..",
        "c2c_..",
    ],
)
def test_alice_cannot_name_a_conversation_that_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="not a conversationID"):
        Conversation.named_by("alice", name)


@pytest.mark.parametrize("name", ["c2c_b~a", "c2c_a~a", "c2c_a~b~c", "c2c_a", "group_g\n"])
def test_only_the_canonical_spelling_is_parsed(name: str) -> None:
    with pytest.raises(ValueError, match="not a conversationID"):
        Conversation.parse(name)


def test_what_users_call_a_conversation() -> None:
    assert Conversation.of_group("g").named_for("alice") == "group_g"
    assert Conversation.between("bob", "alice").named_for("alice") == "c2c_bob"
    assert Conversation.of_group("g").peer_of("alice") == ""
