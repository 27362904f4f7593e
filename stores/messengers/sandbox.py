"""The messenger of a development machine: the code is logged and kept for the page, and reaches no phone."""

import logging
from collections import deque

from stores.messengers.interface import CodeMessage

log = logging.getLogger(__name__)

KEPT = 200


class Sandbox:
    """A ``Messenger`` of this process; ``config.settings`` refuses it in production."""

    name = "sandbox"

    def __init__(self) -> None:
        self._sent: deque[CodeMessage] = deque(maxlen=KEPT)

    def send_code(self, message: CodeMessage) -> None:
        self._sent.append(message)
        log.info("sandbox message to %s: %s", message.number, message.text)

    def last_to(self, number: str) -> CodeMessage | None:
        """The latest message to a phone, as far as this process remembers."""
        return next((message for message in reversed(self._sent) if message.number == number), None)
