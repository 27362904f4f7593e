"""
Signing in by a code sent to the phone.

Codes live in PostgreSQL, so their rules hold whatever becomes of Redis; only the limits by address are counted there.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hmac import compare_digest
from math import ceil
from uuid import UUID

from django.db import connection, transaction

from config.kernel import limits
from config.kernel.errors import DomainError
from config.kernel.ids import new_id
from config.kernel.limits import Limit
from config.kernel.personal_data import keyed_hash
from stores.errors import CodeMaybeNotSent, CodeSentJustNow, PhoneCodeOver, PhoneCodeWrong, TooManyCodesToday
from stores.messengers import registry
from stores.messengers.interface import CodeMessage, MessengerSilent
from stores.models import MOST_WRONG_TRIES, Brand, Customer, PhoneCode
from stores.services import customer_sessions, customers

GOOD_FOR = timedelta(minutes=5)
BETWEEN_TWO = timedelta(seconds=60)
A_DAY = timedelta(days=1)
MOST_A_DAY = 10
DIGITS = 6

# A carrier puts thousands of phones behind one address, and before a sale they all sign in.
SENT_TO_AN_ADDRESS = Limit("phone_codes_address", times=300, seconds=600, times_alone=30)
FAILURES_OF_AN_ADDRESS = Limit("phone_code_failures_address", times=100, seconds=600, times_alone=15)


@dataclass(frozen=True, slots=True)
class CodeSent:
    """``number`` as it was understood; she may ask for another at ``next_at``."""

    number: str
    next_at: datetime
    expires_at: datetime


def send(*, brand: Brand, phone: str, address: str, at: datetime) -> CodeSent:
    """
    Send a fresh code; the one before is not good any more.

    At most one in 60 s and ten in 24 h go to a phone, over all brands: counted under a lock of the number.
    The code is written before it is sent, so a code that arrives is one that works.

    Raises:
        PhoneInvalid: not a phone number.
        MessagesNotSetUp: nobody carries messages here.
        CodeSentJustNow, TooManyCodesToday: the phone has had its share.
        TooManyRequests: the address has.
        CodeMaybeNotSent: the messenger did not answer.
    """
    number = customers.normalised(phone)
    carrier = registry.messenger()
    limits.spend((SENT_TO_AN_ADDRESS, address)).require_room()
    code = f"{secrets.randbelow(10**DIGITS):0{DIGITS}d}"
    with transaction.atomic(durable=True):
        hashed = hash_of(number)
        customers.lock_number(hashed)
        _require_room(hashed, at=at)
        code_id = new_id()
        sent = PhoneCode.objects.create(
            id=code_id,
            brand=brand,
            phone_hash=hashed,
            code_hash=code_hash(code_id, code),
            sent_at=at,
            expires_at=at + GOOD_FOR,
        )
    minutes = int(GOOD_FOR.total_seconds() // 60)
    try:
        carrier.send_code(CodeMessage(number=number, code=code, brand_name=brand.name, minutes=minutes))
    except MessengerSilent:
        raise CodeMaybeNotSent(retry_after_seconds=int(BETWEEN_TWO.total_seconds())) from None
    return CodeSent(number=number, next_at=at + BETWEEN_TWO, expires_at=sent.expires_at)


def sign_in(
    *, brand_id: UUID, phone: str, code: str, request_id: UUID, address: str, at: datetime
) -> customer_sessions.Begun:
    """
    Open a session for whoever reads the phone; its customer is made at first sight.

    A code is good once. A repeat of the ``request_id`` that used it gets another session of the same
    customer while the code would be good, so an answer that was lost can be asked for again.

    Raises:
        PhoneInvalid: not a phone number.
        PhoneCodeWrong: another code was sent; says how many tries are left.
        PhoneCodeOver: expired, used, replaced, tried wrongly five times, or never sent.
        TooManyRequests: too many failures from this address.
    """
    number = customers.normalised(phone)
    failures = (FAILURES_OF_AN_ADDRESS, address)
    limits.check(failures).require_room()
    with transaction.atomic(durable=True):
        # A wrong try is counted by this transaction's commit, so its refusal is raised after it.
        answer = _use(brand_id=brand_id, number=number, code=code, request_id=request_id, at=at)
    if isinstance(answer, DomainError):
        limits.spend(failures)
        raise answer
    return answer


def forget(*, limit: int, at: datetime) -> int:
    """Delete up to ``limit`` codes that no rule looks at any more; how many."""
    with transaction.atomic(durable=True):
        old = PhoneCode.objects.filter(sent_at__lt=at - A_DAY).order_by("sent_at").values_list("id", flat=True)
        locked = list(old.select_for_update(skip_locked=True)[:limit])
        return PhoneCode.objects.filter(id__in=locked).delete()[0]


def hash_of(number: str) -> bytes:
    """Where a phone's codes are found; a purpose of its own, so that no customer is found by it."""
    return keyed_hash(number, purpose="phone-code")


def code_hash(code_id: UUID, code: str) -> bytes:
    """Bound to its row: a million codes are soon tried out, but not without the key."""
    return keyed_hash(f"{code_id}:{code}", purpose="phone-code-digits")


def lock_newest(*, brand_id: UUID, hashed: bytes) -> PhoneCode | None:
    """
    The code last sent to a phone for a brand, held to the end of the caller's transaction.

    The phone's lock, and not the row's: a code that is being sent meanwhile would be the newest one.
    """
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    customers.lock_number(hashed)
    return PhoneCode.objects.filter(phone_hash=hashed, brand_id=brand_id).order_by("-sent_at", "-id").first()


def _require_room(hashed: bytes, *, at: datetime) -> None:
    sent = PhoneCode.objects.filter(phone_hash=hashed, sent_at__gt=at - A_DAY).order_by("-sent_at")
    times = list(sent.values_list("sent_at", flat=True)[:MOST_A_DAY])
    if times and (wait := times[0] + BETWEEN_TWO - at) > timedelta():
        raise CodeSentJustNow(retry_after_seconds=ceil(wait.total_seconds()))
    if len(times) == MOST_A_DAY:
        wait = times[-1] + A_DAY - at
        raise TooManyCodesToday(
            hours=ceil(wait / timedelta(hours=1)), retry_after_seconds=ceil(wait.total_seconds()), most=MOST_A_DAY
        )


def _use(
    *, brand_id: UUID, number: str, code: str, request_id: UUID, at: datetime
) -> customer_sessions.Begun | DomainError:
    found = lock_newest(brand_id=brand_id, hashed=hash_of(number))
    if found is None or at >= found.expires_at or found.wrong_tries >= MOST_WRONG_TRIES:
        return PhoneCodeOver(param="code")
    is_right = compare_digest(bytes(found.code_hash), code_hash(found.id, code))
    if found.used_at is not None:
        if not is_right or found.used_request_id != request_id:
            return PhoneCodeOver(param="code")
        return customer_sessions.begin(customer=_customer(found), at=at)
    if not is_right:
        found.wrong_tries += 1
        found.save(update_fields=["wrong_tries"])
        left = MOST_WRONG_TRIES - found.wrong_tries
        return PhoneCodeWrong(param="code", tries_left=left) if left else PhoneCodeOver(param="code")
    found.customer = customers.of_number(brand_id=brand_id, number=number, at=at)
    found.used_at, found.used_request_id = at, request_id
    found.save(update_fields=["customer", "used_at", "used_request_id"])
    return customer_sessions.begin(customer=found.customer, at=at)


def _customer(used: PhoneCode) -> Customer:
    assert used.customer is not None, "used_phone_code_signed_somebody_in"
    return used.customer
