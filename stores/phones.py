"""Phone numbers in one spelling (E.164), so that equal phones are equal texts."""

import re

SEPARATORS = re.compile(r"[\s\-().]+")
MAINLAND_MOBILE = re.compile(r"(?:\+?86)?(1[3-9][0-9]{9})")
INTERNATIONAL = re.compile(r"\+[1-9][0-9]{6,14}")


def normalised(text: str) -> str:
    """
    ``138 1234 5678`` and ``+86-13812345678`` alike as ``+8613812345678``; other countries come with their +code.

    Raises:
        ValueError: not a phone number.
    """
    compact = SEPARATORS.sub("", text)
    if compact.startswith("00"):
        compact = f"+{compact[2:]}"
    if mainland := MAINLAND_MOBILE.fullmatch(compact):
        return f"+86{mainland[1]}"
    if INTERNATIONAL.fullmatch(compact):
        return compact
    raise ValueError("not a phone number")


def masked(tail: str) -> str:
    """What a screen shows: the last four digits, which tell customers apart without telling who they are."""
    return f"****{tail}" if tail else ""
