"""
Every word on a page in Chinese and English, by a stable key: ``console.redeem``, ….

Not gettext: its catalogues are compiled by a program the machines that run this do not have, and its key is
one of the two languages. Here both stand side by side where they are reviewed together, and a test compares them.
An English text may hold two forms, ``"{n} voucher|{n} vouchers"``: the first is for one.
"""

from collections.abc import Mapping
from typing import Any, Literal

Language = Literal["zh", "en"]
Catalogue = Mapping[str, tuple[str, str]]

_known: dict[str, tuple[str, str]] = {}


def register(catalogue: Catalogue) -> None:
    """Take a page area's words in; its ``AppConfig.ready`` does it."""
    for key, texts in catalogue.items():
        assert _known.get(key, texts) == texts, f"{key} has two meanings"
        _known[key] = texts


def say(key: str, language: Language, /, **values: Any) -> str:
    """The text of ``key``; an unknown key is a programmer's error."""
    zh, en = _known[key]
    if language == "zh":
        return zh.format(**values)
    one, _, many = en.partition("|")
    return (many if many and values["n"] != 1 else one).format(**values)


def known() -> Catalogue:
    return dict(_known)
