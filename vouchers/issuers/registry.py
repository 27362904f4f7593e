"""Platforms by their name, as vouchers carry it."""

from vouchers.errors import IssuerNotThere
from vouchers.issuers.interface import Issuer

KNOWN: dict[str, Issuer] = {}
"""An adapter puts itself here; a platform without one has accounts and vouchers, and is not asked."""


def by_name(name: str) -> Issuer:
    """
    The platform of that name.

    Raises:
        IssuerNotThere: no adapter has it.
    """
    if name not in KNOWN:
        raise IssuerNotThere(issuer=name)
    return KNOWN[name]
