"""Accounts of people who work here: a name to sign in with and a password nobody else keeps."""

from dataclasses import dataclass, field

from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from config.accounts.models import User
from stores.errors import PasswordTooWeak, UsernameTaken


@dataclass(frozen=True)
class NewPerson:
    username: str
    password: str = field(repr=False)
    display_name: str = ""


def hashed_password(person: NewPerson) -> str:
    """
    The password as it is kept. Slow by purpose: called before a transaction, never inside one.

    Raises:
        PasswordTooWeak: with the reasons.
    """
    check_password(person.password, of=User(username=person.username, display_name=person.display_name))
    return make_password(person.password)


def check_password(password: str, *, of: User) -> None:
    try:
        validate_password(password, of)
    except ValidationError as error:
        raise PasswordTooWeak(reasons=" ".join(error.messages), param="password") from None


def admit(person: NewPerson, *, password: str) -> User:
    """
    A new account under ``person``'s name. Runs inside the caller's transaction.

    Raises:
        UsernameTaken: the name is somebody's, who is not given away by it.
    """
    assert connection.in_atomic_block, "an account comes with what it may do"
    user = User(username=person.username, display_name=person.display_name, password=password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        raise UsernameTaken(username=person.username, param="username") from None
    return user
