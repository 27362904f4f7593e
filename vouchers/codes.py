"""
Voucher codes: twelve digits, unique by construction and unguessable without the key.

Eleven digits are a number of the issuer's sequence (0, 1, 2, …) under a keyed permutation of 0..10^11−1,
so no code is ever looked up, retried or found taken; the twelfth is a check digit.

The permutation is FF1 (NIST SP 800-38G, Dworkin 2016): a Feistel network whose halves are the first five
and the last six digits. With the round counts of Luby and Rackoff (1988) in mind the standard takes ten. Its
halves live modulo 10^5 and 10^6, so it permutes exactly the eleven-digit numbers, and the cycle walking of
Black and Rogaway (2002), which a binary network of 2^38 would need, has nothing to do.

The check digit is Damm's (2004): it catches every single wrong digit and every swap of two neighbours.
"""

import hashlib
import hmac
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from sys import byteorder
from uuid import UUID

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

NUMBER_DIGITS = 11
CODE_DIGITS = NUMBER_DIGITS + 1
ROUNDS = 10

# A totally anti-symmetric quasigroup of order 10 (Damm 2004, as published with his algorithm).
DAMM = (
    (0, 3, 1, 7, 5, 9, 8, 6, 4, 2),
    (7, 0, 9, 2, 1, 5, 4, 8, 6, 3),
    (4, 2, 0, 6, 8, 7, 1, 3, 5, 9),
    (1, 7, 5, 0, 9, 8, 3, 4, 2, 6),
    (6, 1, 2, 3, 0, 4, 5, 9, 7, 8),
    (3, 6, 7, 4, 2, 0, 9, 5, 8, 1),
    (5, 8, 6, 9, 7, 2, 0, 1, 3, 4),
    (8, 9, 4, 5, 3, 6, 2, 0, 1, 7),
    (9, 4, 3, 8, 6, 1, 7, 2, 0, 5),
    (2, 5, 8, 1, 4, 3, 6, 7, 9, 0),
)


@dataclass(frozen=True)
class CodeKey:
    """The AES-256 key of one brand's and issuer's sequence."""

    aes: bytes


@lru_cache(maxsize=4096)
def key_of(*, secret: str, brand_id: UUID, issuer: str) -> CodeKey:
    """The sequence's own key out of the installation's secret (hex): HMAC-SHA-256 over who it is for."""
    about = b"voucher codes\x00" + brand_id.bytes + issuer.encode()
    return CodeKey(hmac.new(bytes.fromhex(secret), about, hashlib.sha256).digest())


def codes_for(numbers: range, key: CodeKey) -> list[str]:
    """
    The codes of a run of the sequence, in its order.

    O(n): one AES call per round over the whole run, about 4 µs a code.
    """
    if not numbers:
        return []
    assert numbers.start >= 0, "the sequence begins at 0"
    assert numbers[-1] < 10**NUMBER_DIGITS, "the sequence is used up"
    table = _damm_by_three()
    codes = []
    for number in ff1(numbers, key.aes, digits=NUMBER_DIGITS):
        head, tail = divmod(number, 1_000_000)
        check = table[table[table[head // 1000] * 1000 + head % 1000] * 1000 + tail // 1000] * 1000 + tail % 1000
        codes.append(f"{number:011d}{table[check]}")
    return codes


def number_of(code: str, key: CodeKey) -> int:
    """Which number of the sequence became ``code``: the inverse of ``codes_for``."""
    assert is_well_formed(code), "only a code that came through the check digit has a number"
    return ff1_inverse([int(code[:-1])], key.aes, digits=NUMBER_DIGITS)[0]


def normalise(text: str) -> str:
    """What a person typed or a scanner read, as the code is stored: no spaces or dashes, ASCII digits."""
    ascii_text = unicodedata.normalize("NFKC", text)
    return "".join(character for character in ascii_text if not character.isspace() and character not in _DASHES)


def is_well_formed(code: str) -> bool:
    """Whether ``code`` could be one of ours: twelve digits that end in their check digit."""
    return len(code) == CODE_DIGITS and code.isascii() and code.isdigit() and damm(code) == 0


def masked(code: str) -> str:
    """The code as it may stand in lists, answers and on receipts: its last four digits."""
    return "•" * max(len(code) - 4, 0) + code[-4:]


def damm(digits: str) -> int:
    """Damm's check digit of ``digits``; 0 for digits that already end in theirs."""
    interim = 0
    for digit in digits:
        interim = DAMM[interim][int(digit)]
    return interim


def ff1(numbers: Sequence[int], key: bytes, *, digits: int) -> list[int]:
    """FF1 encryption, radix 10 and empty tweak, of numbers that have ``digits`` digits each."""
    rounds = _Rounds(key, digits)
    left = [number // rounds.right_modulus for number in numbers]
    right = [number % rounds.right_modulus for number in numbers]
    for i in range(ROUNDS):
        modulus = rounds.modulus(i)
        mixed = [(a + y) % modulus for a, y in zip(left, rounds.outputs(i, right), strict=True)]
        left, right = right, mixed
    return [a * rounds.right_modulus + b for a, b in zip(left, right, strict=True)]


def ff1_inverse(numbers: Sequence[int], key: bytes, *, digits: int) -> list[int]:
    """FF1 decryption: undoes ``ff1``."""
    rounds = _Rounds(key, digits)
    left = [number // rounds.right_modulus for number in numbers]
    right = [number % rounds.right_modulus for number in numbers]
    for i in reversed(range(ROUNDS)):
        modulus = rounds.modulus(i)
        mixed = [(b - y) % modulus for b, y in zip(right, rounds.outputs(i, left), strict=True)]
        right, left = left, mixed
    return [a * rounds.right_modulus + b for a, b in zip(left, right, strict=True)]


class _Rounds:
    """
    FF1's round function over many numbers at once.

    The standard's PRF is a CBC-MAC of two blocks P ‖ Q. P depends on nothing but the lengths, so it is
    encrypted once; Q holds the round and one half, and costs one block each.
    """

    def __init__(self, key: bytes, digits: int) -> None:
        u = digits // 2
        v = digits - u
        self.left_modulus: int = 10**u
        self.right_modulus: int = 10**v
        half_bytes = ((10**v - 1).bit_length() + 7) // 8
        assert half_bytes <= 7, "the half stands in the block's last word"
        assert 4 * -(-half_bytes // 4) + 4 == 8, "the output is the block's first eight bytes"
        self._round_shift = 8 * half_bytes
        self._encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - FF1 is built on it
        p = bytes([1, 2, 1, 0, 0, 10, ROUNDS, u]) + digits.to_bytes(4, "big") + bytes(4)
        block = self._encryptor.update(p)
        self._high, self._low = int.from_bytes(block[:8], "big"), int.from_bytes(block[8:], "big")

    def modulus(self, i: int) -> int:
        return self.right_modulus if i % 2 else self.left_modulus

    def outputs(self, i: int, halves: Iterable[int]) -> "array[int]":
        """y of every half in round ``i``: the first eight bytes of AES(AES(P) ⊕ Q)."""
        mask = self._low ^ i << self._round_shift
        low = array("Q", [mask ^ half for half in halves])
        blocks = array("Q", [self._high]) * (2 * len(low))
        blocks[1::2] = low
        if byteorder == "little":
            blocks.byteswap()
        encrypted = array("Q")
        encrypted.frombytes(self._encryptor.update(blocks.tobytes()))
        outputs = encrypted[::2]
        if byteorder == "little":
            outputs.byteswap()
        return outputs


@cache
def _damm_by_three() -> list[int]:
    """Damm's interim digit after three more: index ``interim * 1000 + three digits``."""
    return [
        DAMM[DAMM[DAMM[interim][three // 100]][three // 10 % 10]][three % 10]
        for interim in range(10)
        for three in range(1000)
    ]


_DASHES = "-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}\N{ZERO WIDTH SPACE}"
