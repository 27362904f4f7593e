"""
What was scanned for one redemption, kept in the session under an id that stands in the page's address.

So a reload, the way back and a second tab each find their own; redeeming itself reads the form alone.
"""

import secrets
from typing import Any

from django.http import HttpRequest

KEY = "console.baskets"
MOST_KEPT = 5
MOST_CUSTOMERS = 10
Scans = list[dict[str, Any]]
"""One ``{"key": …, "codes": […]}`` for each customer."""


def scans_of(request: HttpRequest, basket: str) -> Scans | None:
    found: Scans | None = request.session.get(KEY, {}).get(basket)
    return found


def add(request: HttpRequest, basket: str | None, codes: list[str]) -> str:
    """One more customer's codes; codes that are there already are not there twice."""
    kept: dict[str, Scans] = request.session.get(KEY, {})
    basket = basket if basket in kept else secrets.token_urlsafe(9)
    scans = kept.pop(basket, [])
    seen = {code for scan in scans for code in scan["codes"]}
    if fresh := [code for code in dict.fromkeys(codes) if code not in seen]:
        scans = [*scans, {"key": secrets.token_urlsafe(4), "codes": fresh}][-MOST_CUSTOMERS:]
    kept[basket] = scans
    request.session[KEY] = dict(list(kept.items())[-MOST_KEPT:])
    return basket


def remove(request: HttpRequest, basket: str, key: str) -> None:
    kept: dict[str, Scans] = request.session.get(KEY, {})
    if basket in kept:
        kept[basket] = [scan for scan in kept[basket] if scan["key"] != key]
        request.session[KEY] = kept
