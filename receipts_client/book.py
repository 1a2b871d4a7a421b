"""What has been heard already, so that what comes late or again is no news."""

from collections.abc import Iterable

from receipts_client.shapes import Message, Receipt, conversation_id_of

# As many messages as anybody scrolls through; what is forgotten may at worst be told twice.
KEPT_MAX = 10_000


class ReceiptBook:
    """The latest receipt of each own message. Counts only grow, so of two receipts the larger count is the later."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self.receipts: dict[str, Receipt] = {}
        self._peer_read_at: dict[str, int] = {}
        self._kept_max = kept_max

    def merge(self, receipts: Iterable[Receipt]) -> list[Receipt]:
        """Enter these receipts, and return those that say something new."""
        news = []
        for receipt in receipts:
            known = self.receipts.get(receipt["msgID"])
            if known is None or receipt["readCount"] > known["readCount"]:
                self.receipts[receipt["msgID"]] = receipt
                _forget_oldest(self.receipts, self._kept_max)
                news.append(receipt)
        return news

    def merge_conversation(self, receipts: Iterable[Receipt]) -> list[Receipt]:
        """The same for receipts of whole C2C conversations, where it is the time that only grows."""
        news = []
        for receipt in receipts:
            read_at = receipt.get("timestamp", 0)
            if read_at > self._peer_read_at.get(receipt["userID"], -1):
                self._peer_read_at[receipt["userID"]] = read_at
                _forget_oldest(self._peer_read_at, self._kept_max)
                news.append(receipt)
        return news


class MessageBook:
    """Which messages have been heard, and the latest seq of each conversation."""

    def __init__(self, kept_max: int = KEPT_MAX) -> None:
        self.last_seq: dict[str, int] = {}
        self._heard: dict[str, None] = {}
        self._kept_max = kept_max

    def merge(self, messages: Iterable[Message]) -> list[Message]:
        """Enter these messages, and return those that have not been heard."""
        news = []
        for message in messages:
            conversation_id = conversation_id_of(message)
            self.last_seq[conversation_id] = max(message["seq"], self.last_seq.get(conversation_id, 0))
            _forget_oldest(self.last_seq, self._kept_max)
            if message["msgID"] not in self._heard:
                self._heard[message["msgID"]] = None
                _forget_oldest(self._heard, self._kept_max)
                news.append(message)
        return news


def _forget_oldest(book: dict[str, object] | dict[str, int] | dict[str, None] | dict[str, Receipt], most: int) -> None:
    if len(book) > most:
        del book[next(iter(book))]
