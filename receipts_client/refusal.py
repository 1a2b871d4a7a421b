"""What the service refused, and why."""

# The service's own failure, and too many calls at once: both pass.
SERVER_ERROR = 10002
TOO_OFTEN = 7008
TOKEN_EXPIRED = 70001


class Refused(Exception):
    """The answer was no: its code (V2TIM's where TIM has one), a sentence for the developer, and the HTTP status.

    The status is 0 where a frame on the socket was refused.
    """

    def __init__(self, code: int, desc: str, status: int = 0) -> None:
        super().__init__(code, desc)
        self.code, self.desc, self.status = code, desc, status

    @property
    def is_passing(self) -> bool:
        """Whether the same call may well be granted in a moment."""
        return self.code in (SERVER_ERROR, TOO_OFTEN)
