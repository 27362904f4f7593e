"""A brand vouches for its customer by the brand's own id; she gets a row at first sight, and a token."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from config.accounts import tokens
from config.kernel import ids, personal_data
from stores import phones
from stores.errors import PhoneInvalid
from stores.models import Customer, CustomerIdentity
from stores.services.made import Made

BRANDS_OWN = "brand"
PHONE_PURPOSE = "customer-phone"


@dataclass(frozen=True)
class SignedIn:
    """``is_new`` says whether this call made the customer; of two at once exactly one did."""

    customer: Customer
    is_new: bool
    token: tokens.AccessToken


def customer_token(*, brand_id: UUID, external_id: str, phone: str | None, at: datetime) -> SignedIn:
    """
    A token for the customer whom the brand knows as ``external_id``.

    Safe to repeat and to race: one external id is one customer. A phone, where given, becomes hers;
    the brand's latest word wins, so a number that changed hands leaves the customer who had it.

    Raises:
        PhoneInvalid: ``phone`` is none.
    """
    number = normalised(phone) if phone else None
    with transaction.atomic(durable=True):
        made = upsert(brand_id=brand_id, provider=BRANDS_OWN, external_id=external_id, at=at)
        customer = made.row if number is None else keep_phone(customer=made.row, number=number)
    token = tokens.sign_customer(customer_id=customer.id, brand_id=brand_id, at=at)
    return SignedIn(customer=customer, is_new=made.is_new, token=token)


def upsert(*, brand_id: UUID, provider: str, external_id: str, at: datetime) -> Made[Customer]:
    """
    The customer behind an identity, made at first sight. Runs inside the caller's transaction.

    The identity's unique rule decides who makes her: the loser of a race waits for the winner's
    commit and reads the winner's customer.
    """
    assert connection.in_atomic_block, "an identity commits with its customer"
    if found := find(brand_id=brand_id, provider=provider, external_id=external_id):
        return Made(found, is_new=False)
    customer = Customer(brand_id=brand_id, created_at=at)
    # The identity first: its foreign key is checked at commit, and a loser has written no customer.
    if not claim_identity(customer, provider=provider, external_id=external_id, at=at):
        winner = find(brand_id=brand_id, provider=provider, external_id=external_id)
        assert winner is not None, "identities are not deleted"
        return Made(winner, is_new=False)
    customer.save(force_insert=True)
    return Made(customer, is_new=True)


UPSERT_MANY = """
    INSERT INTO stores_customeridentity (brand_id, customer_id, provider, external_id, created_at)
    SELECT %(brand)s, id, %(provider)s, external_id, %(at)s
    FROM unnest(%(ids)s::uuid[], %(external_ids)s::text[]) AS k(id, external_id)
    ON CONFLICT (brand_id, provider, external_id) DO NOTHING
    RETURNING customer_id
"""
MAKE_MANY = """
    INSERT INTO stores_customer (id, brand_id, phone_tail, created_at)
    SELECT id, %(brand)s, '', %(at)s FROM unnest(%(ids)s::uuid[]) AS k(id)
"""
FIND_MANY = """
    SELECT customer_id FROM stores_customeridentity
    WHERE brand_id = %(brand)s AND provider = %(provider)s AND external_id = ANY(%(external_ids)s::text[])
"""


def upsert_many(*, brand_id: UUID, provider: str, external_ids: Collection[str], at: datetime) -> list[UUID]:
    """
    ``upsert`` for a whole list: the ids of the customers behind these identities, in no promised order.

    Runs inside the caller's transaction. Three statements however many; identities are claimed in
    their own order, so two lists that share some wait for each other, never in a circle.
    """
    assert connection.in_atomic_block, "identities commit with their customers"
    wanted = sorted(set(external_ids))
    who: dict[str, Any] = {"brand": brand_id, "provider": provider, "external_ids": wanted, "at": at}
    with connection.cursor() as cursor:
        cursor.execute(UPSERT_MANY, {**who, "ids": [ids.new_id() for _ in wanted]})
        made = [row[0] for row in cursor.fetchall()]
        cursor.execute(MAKE_MANY, {**who, "ids": made})
        cursor.execute(FIND_MANY, who)
        return [row[0] for row in cursor.fetchall()]


def known(*, brand_id: UUID, provider: str, external_ids: Collection[str]) -> int:
    """How many of these identities the brand's customers have."""
    return CustomerIdentity.objects.filter(
        brand_id=brand_id, provider=provider, external_id__in=set(external_ids)
    ).count()


def find(*, brand_id: UUID, provider: str, external_id: str) -> Customer | None:
    identity = (
        CustomerIdentity.objects.filter(brand_id=brand_id, provider=provider, external_id=external_id)
        .select_related("customer")
        .first()
    )
    return identity.customer if identity else None


def claim_identity(customer: Customer, *, provider: str, external_id: str, at: datetime) -> bool:
    """Whether the identity was free and is ``customer``'s now; waits for whoever is claiming it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO stores_customeridentity (brand_id, customer_id, provider, external_id, created_at)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (brand_id, provider, external_id) DO NOTHING",
            [customer.brand_id, customer.id, provider, external_id, at],
        )
        return bool(cursor.rowcount == 1)


def keep_phone(*, customer: Customer, number: str) -> Customer:
    """
    Make ``number`` this customer's and nobody else's. Runs inside the caller's transaction.

    One lock per number, taken before any row's, lets two customers who claim it at once follow each
    other; the rows then come in key order.
    """
    assert connection.in_atomic_block, "a number leaves one customer as it comes to another"
    wanted = phone_hash(brand_id=customer.brand_id, number=number)
    if customer.phone_hash is not None and bytes(customer.phone_hash) == wanted:
        return customer
    lock_number(wanted)
    both = Customer.objects.filter(Q(id=customer.id) | Q(brand_id=customer.brand_id, phone_hash=wanted))
    locked = {row.id: row for row in both.order_by("id").select_for_update()}
    for former in set(locked) - {customer.id}:
        Customer.objects.filter(id=former).update(phone_encrypted=None, phone_hash=None, phone_tail="")
    hers = locked[customer.id]
    _write_phone(hers, number, hashed=wanted)
    hers.save(update_fields=["phone_encrypted", "phone_hash", "phone_tail"])
    return hers


def of_number(*, brand_id: UUID, number: str, at: datetime) -> Customer:
    """
    Whose number it is, made at first sight. Runs inside the caller's transaction.

    Whoever proves a number that the brand's server has named is the customer behind it: the number's
    lock lets the two follow each other.
    """
    assert connection.in_atomic_block, "a customer commits with her phone"
    wanted = phone_hash(brand_id=brand_id, number=number)
    lock_number(wanted)
    if found := Customer.objects.filter(brand_id=brand_id, phone_hash=wanted).first():
        return found
    made = Customer(brand_id=brand_id, created_at=at)
    _write_phone(made, number, hashed=wanted)
    made.save(force_insert=True)
    return made


def lock_number(hashed: bytes) -> None:
    """Until the transaction ends nobody else claims this number."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(hashed[:8], signed=True)])


def phone_hash(*, brand_id: UUID, number: str) -> bytes:
    """Where a phone is found; another brand's hash of the same phone is another, so brands cannot be joined by it."""
    return personal_data.keyed_hash(f"{ids.public('brd', brand_id)}:{number}", purpose=PHONE_PURPOSE)


def phone_of(customer: Customer) -> str | None:
    """The whole number, for those who must dial it."""
    if customer.phone_encrypted is None:
        return None
    return personal_data.unseal(customer.phone_encrypted, purpose=PHONE_PURPOSE, bound_to=customer.id.bytes)


def _write_phone(customer: Customer, number: str, *, hashed: bytes) -> None:
    customer.phone_encrypted = personal_data.seal(number, purpose=PHONE_PURPOSE, bound_to=customer.id.bytes)
    customer.phone_hash = hashed
    customer.phone_tail = number[-4:]


def normalised(phone: str) -> str:
    """
    Raises:
        PhoneInvalid: not a phone number.
    """
    try:
        return phones.normalised(phone)
    except ValueError:
        raise PhoneInvalid(param="phone") from None
