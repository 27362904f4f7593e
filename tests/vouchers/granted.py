"""Vouchers given away, through the services."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from config.accounts.models import User
from config.kernel.caller import Caller, CallerKind
from stores.models import Customer
from tests.factories import NOW
from vouchers.models import DealTerms, Grant, Voucher
from vouchers.services import grants
from vouchers.services.grant_issuing import issue_granted
from vouchers.services.grants import Audience


def staff(user: User) -> Caller:
    return Caller(kind=CallerKind.STAFF, id=user.id)


def grant(
    terms: DealTerms, audience: Audience, *, by: Caller | None = None, at: datetime = NOW, **fields: Any
) -> Grant:
    given: dict[str, Any] = {"per_customer": 1, "reason": "周年庆", "request_id": uuid4(), **fields}
    by = by or Caller(kind=CallerKind.STAFF, id=uuid4())
    return grants.grant(terms=terms, audience=audience, by=by, at=at, **given).row


def to(*customers: Customer) -> Audience:
    return Audience(customer_ids=[customer.pk for customer in customers])


def issue_all(*, at: datetime = NOW) -> int:
    issued = 0
    while count := issue_granted(at=at):
        issued += count
    return issued


def vouchers_of(grant: Grant) -> list[Voucher]:
    batches: list[UUID] = list(grant.batches.values_list("pk", flat=True))
    return list(Voucher.objects.filter(source_kind="grant", source_id__in=batches).order_by("source_id", "ordinal"))
