"""The messenger that the settings name."""

from functools import cache

from django.conf import settings

from stores.errors import MessagesNotSetUp
from stores.messengers.interface import Messenger
from stores.messengers.sandbox import Sandbox


def messenger() -> Messenger:
    """
    Who carries this site's messages, the same object each time.

    Raises:
        MessagesNotSetUp: nobody does.
    """
    if Sandbox.name == settings.MESSENGER:
        return sandbox()
    raise MessagesNotSetUp


@cache
def sandbox() -> Sandbox:
    return Sandbox()
