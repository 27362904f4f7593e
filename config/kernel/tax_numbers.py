"""The unified social credit code (统一社会信用代码), under which a company in China pays its taxes: GB 32100-2015."""

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
"""Digits and letters but I, O, S, V and Z."""
LENGTH = 18


def is_credit_code(text: str) -> bool:
    """Whether ``text`` is 18 characters of the alphabet, of which the last one checks the others."""
    return len(text) == LENGTH and set(text) <= set(ALPHABET) and check_character(text[:-1]) == text[-1]


def check_character(body: str) -> str:
    """The 18th character: ISO 7064 style, each place weighs 3 to its power, modulo 31."""
    total = sum(ALPHABET.index(character) * pow(3, place, 31) for place, character in enumerate(body))
    return ALPHABET[-total % 31]
