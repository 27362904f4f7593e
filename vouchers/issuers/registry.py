"""Platforms by their name, as vouchers carry it."""

from vouchers.errors import IssuerNotThere
from vouchers.issuers.interface import Issuer

NAMES = frozenset({"douyin", "meituan"})
"""Platforms that a brand may connect already; each is asked once its adapter is here."""

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
