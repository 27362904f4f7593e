"""
Guessing codes is slow: misses are counted by clerk and by address, hits never.

A clerk mistypes a few times an hour. Even 120 misses an hour, day and night, against 4,000,000 live
codes of 10^11, meet one in about 9 days at one terminal's full allowance, and each meeting names the clerk.
"""

from uuid import UUID

from config.kernel import limits
from config.kernel.limits import Limit
from vouchers.errors import IssuerDoesNotAnswer, VoucherNotFound

# Alone means that Redis is away: then each process counts strictly by itself.
OF_CLERK = Limit("code_misses_of_clerk", times=20, seconds=600, times_alone=5)
OF_ADDRESS = Limit("code_misses_of_address", times=100, seconds=600, times_alone=20)
MISSED = (VoucherNotFound, IssuerDoesNotAnswer)
"""What a guess may be answered: a silent platform must not make guessing free."""


def require_room(*, clerk_id: UUID, address: str) -> None:
    """
    Ask before looking a code up; counts nothing.

    Raises:
        TooManyRequests: too many codes that do not exist came from this clerk or this address.
    """
    limits.check((OF_CLERK, str(clerk_id)), (OF_ADDRESS, address)).require_room()


def count(misses: int, *, clerk_id: UUID, address: str) -> None:
    """Count codes that named no voucher."""
    for _ in range(misses):
        limits.spend((OF_CLERK, str(clerk_id)), (OF_ADDRESS, address))
