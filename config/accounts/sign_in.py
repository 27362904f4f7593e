"""Signing in with a name and a password."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.hashers import make_password

from config.accounts import tokens
from config.accounts.errors import WrongCredentials
from config.accounts.models import User
from config.accounts.tokens import AccessToken
from config.kernel import limits
from config.kernel.limits import Limit

# A shop behind one address has several people and one forgotten password; a list of leaked ones has thousands.
FAILURES_OF_A_NAME = Limit("sign_in_name", times=10, seconds=600, times_alone=3)
FAILURES_OF_AN_ADDRESS = Limit("sign_in_address", times=50, seconds=600, times_alone=15)


@dataclass(frozen=True)
class SignedIn:
    user: User
    token: AccessToken


def sign_in(*, username: str, password: str, address: str, at: datetime) -> SignedIn:
    """
    A token for one person who works here. Wrong names take as long as wrong passwords, and say no more.

    Raises:
        WrongCredentials: no such person, or not her password, or she has left.
        TooManyRequests: this name, or this address, has failed too often.
    """
    failures = ((FAILURES_OF_A_NAME, username.lower()), (FAILURES_OF_AN_ADDRESS, address))
    limits.check(*failures).require_room()
    user = User.objects.filter(username=username).first()
    if not _is_hers(user, password):
        limits.spend(*failures)
        raise WrongCredentials
    assert user is not None, "somebody's password was right"
    return SignedIn(user=user, token=tokens.sign_staff(user_id=user.id, at=at))


def _is_hers(user: User | None, password: str) -> bool:
    if user is None:
        make_password(password)  # the time that checking one takes
        return False
    return user.check_password(password) and user.is_active
