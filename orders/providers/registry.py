"""Providers by their name, as payments carry it."""

from functools import cache

from django.conf import settings

from orders.errors import ProviderNotFound
from orders.providers.interface import Provider
from orders.providers.sandbox import Sandbox

NAMES = (Sandbox.name,)
DEFAULT = Sandbox.name


def by_name(name: str) -> Provider:
    """
    The provider of that name, the same object each time.

    Raises:
        ProviderNotFound: none has it.
    """
    if name == Sandbox.name:
        return _sandbox(settings.SANDBOX_URL, settings.SECRETS.sandbox_key)
    raise ProviderNotFound(provider=name)


@cache
def _sandbox(url: str, key: str) -> Sandbox:
    return Sandbox(url=url, key=key)
