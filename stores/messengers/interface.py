"""What Hexiao asks of whoever carries short messages to customers: the one shape behind which an SMS gateway stands."""

from dataclasses import dataclass
from typing import Protocol


class MessengerSilent(Exception):
    """No answer, or none that can be believed: the message may be on its way or not."""


@dataclass(frozen=True, slots=True)
class CodeMessage:
    """A sign-in code on its way to a phone; ``minutes`` is how long it is good for."""

    number: str
    code: str
    brand_name: str
    minutes: int

    @property
    def text(self) -> str:
        good_for = f"{self.minutes} 分钟内有效"
        return f"【{self.brand_name}】验证码 {self.code}，{good_for}。不是您本人操作请忽略，不要告诉任何人。"


class Messenger(Protocol):
    """Carries messages. ``send_code`` is HTTP, may block a few seconds and must never run inside a transaction."""

    name: str

    def send_code(self, message: CodeMessage) -> None:
        """
        Hand one message over.

        Raises:
            MessengerSilent: nobody knows whether it was taken.
        """
