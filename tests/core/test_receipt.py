from chalicelib.core.conversation import Conversation
from chalicelib.core.message import Header
from chalicelib.core.receipt import Receipt, c2c_receipt, conversation_receipt, group_receipt


def test_a_group_receipt_counts_and_names_the_group() -> None:
    header = Header(Conversation.of_group("g"), 1, "alice", 0, audience=7, need_read_receipt=True, sent_at_ms=0)

    assert group_receipt(header, 2) == Receipt(header.msg_id, "", False, 0, "g", read_count=2, unread_count=5)


def test_a_c2c_receipt_names_the_peer_and_the_second_they_read_it() -> None:
    assert c2c_receipt("m", "bob", 1_234_567) == Receipt("m", "bob", True, 1234, "", 1, 0)
    assert c2c_receipt("m", "bob", None) == Receipt("m", "bob", False, 0, "", 0, 1)


def test_a_marked_conversations_receipt_names_the_reader_and_the_second_and_no_message() -> None:
    assert conversation_receipt("bob", 1_234_567) == Receipt("", "bob", True, 1234, "", 0, 0)
