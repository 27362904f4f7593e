"""Giving vouchers away: decided by a person or a program, issued by workers, reversible while unused."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction

from config.kernel.caller import Caller
from config.kernel.idempotency import content_hash
from config.kernel.ids import new_id
from config.kernel.jobs import nudge_after_commit
from stores.models import Customer
from stores.services import customers, trail
from stores.services.made import Key, Made, made_before
from vouchers import errors
from vouchers.models import DealTerms, Grant
from vouchers.queries.segments import customers_of
from vouchers.queries.units import ends_at, is_recalled, units

BATCH_VOUCHERS = 5_000
MOST_LISTED = 50_000
MOST_PER_CUSTOMER = 99
"""As many as a purchase may be of: with the largest bundle every ordinal fits its column."""
PLANNING_SECONDS = 60

WRITE_BATCH = """
    INSERT INTO vouchers_grantbatch
        (id, grant_id, brand_id, number, customer_ids, voucher_count, taken_back, state, due_at)
    VALUES (%s, %s, %s, %s, %s::uuid[], %s, 0, 'pending', %s)
"""
# The state of a batch that a worker is just issuing is read again when the worker has committed.
TURN_BACK = """
    UPDATE vouchers_grantbatch SET
        state = CASE state WHEN 'pending' THEN 'reversed' ELSE 'reversing' END,
        reversed_at = CASE state WHEN 'pending' THEN %(at)s::timestamptz END,
        due_at = %(at)s
    WHERE grant_id = %(grant)s AND state IN ('pending', 'issued')
"""


@dataclass(frozen=True)
class Audience:
    """
    To whom: exactly one of our customers' ids, the brand's own ids for them, and a segment's rule.

    A customer whom the brand knows and we do not yet is made.
    """

    customer_ids: Sequence[UUID] | None = None
    external_ids: Sequence[str] | None = None
    segment: dict[str, Any] | None = None


@dataclass(frozen=True)
class Reach:
    """What a grant would do: ``new_customers`` are those whom only the brand knows so far."""

    customers: int
    new_customers: int
    vouchers: int


def reach(*, terms: DealTerms, audience: Audience, per_customer: int, at: datetime) -> Reach:
    """
    Count before granting: how many customers and vouchers the same ``grant`` would plan now. Writes nothing.

    Raises:
        GrantInvalid, SegmentInvalid, CustomersNotFound: as ``grant`` would.
    """
    _check(terms, audience, per_customer, at=at)
    new = 0
    if audience.external_ids is not None:
        wanted = set(audience.external_ids)
        count = len(wanted)
        new = count - customers.known(brand_id=terms.deal.brand_id, provider=customers.BRANDS_OWN, external_ids=wanted)
    elif audience.customer_ids is not None:
        count = len(_listed(audience.customer_ids, brand_id=terms.deal.brand_id))
    else:
        with transaction.atomic(durable=True):
            _give_it_time()
            count = customers_of(audience.segment, brand=terms.deal.brand).count()
    return Reach(customers=count, new_customers=new, vouchers=count * _vouchers_each(terms, per_customer))


def grant(
    *,
    terms: DealTerms,
    audience: Audience,
    per_customer: int,
    reason: str,
    request_id: UUID,
    by: Caller,
    at: datetime,
) -> Made[Grant]:
    """
    Decide to give ``per_customer`` units of ``terms`` to every customer of ``audience``; workers issue them.

    Who gets them is decided here and now. Safe to retry: the same ``request_id`` with the same content is
    the same grant. Terms that run by days count from this moment, whenever the batch is issued.

    Raises:
        GrantInvalid: nobody could use these vouchers, or the numbers are out of range.
        SegmentInvalid: the rule is none.
        CustomersNotFound: ids that are not customers of this brand.
        GrantReachesNobody: no customer fits.
        IdempotencyConflict: ``request_id`` came before with other content.
    """
    brand_id = terms.deal.brand_id
    content = _content(terms, audience, per_customer, reason)
    key, rows = Key(brand_id, request_id, content), Grant.objects.select_related("terms__deal")
    if first := made_before(rows, key):
        return first
    try:
        with transaction.atomic(durable=True):
            made = give(terms=terms, audience=audience, per_customer=per_customer, reason=reason, key=key, by=by, at=at)
    except IntegrityError:
        # Two copies of one request may come together; the constraint let one in.
        if first := made_before(rows, key):
            return first
        raise
    return Made(made, is_new=True)


def give(
    *, terms: DealTerms, audience: Audience, per_customer: int, reason: str, key: Key, by: Caller, at: datetime
) -> Grant:
    """
    ``grant`` as part of another act, inside its transaction: ``key`` is new, or this is an IntegrityError.

    Raises:
        What ``grant`` raises, but for the conflict.
    """
    assert connection.in_atomic_block, "what is given commits with why"
    _check(terms, audience, per_customer, at=at)
    made = Grant(
        terms=terms,
        reason=reason,
        segment=audience.segment,
        per_customer=per_customer,
        vouchers_each=_vouchers_each(terms, per_customer),
        granted_at=at,
        granted_by_kind=by.kind,
        granted_by_id=by.id,
        **key._asdict(),
    )
    _plan(made, audience, by=by, at=at)
    return made


def reverse(*, grant: Grant, request_id: UUID, by: Caller, at: datetime) -> Made[Grant]:
    """
    Take back what nobody has used yet: workers refund those vouchers, which cost nothing, at 0 fen.

    What is not issued yet never is. A voucher with a live redemption stays whole; one that an unpaid order
    holds is looked at again when the order is over. Safe to retry: the same ``request_id`` is the same act.

    Raises:
        GrantAlreadyReversed: by another request.
    """
    with transaction.atomic(durable=True):
        locked = Grant.objects.select_for_update(no_key=True).select_related("terms__deal").get(pk=grant.pk)
        if locked.reversal_request_id == request_id:
            return Made(locked, is_new=False)
        if locked.reversed_at is not None:
            raise errors.GrantAlreadyReversed(reversed_at=locked.reversed_at.isoformat())
        locked.reversed_at, locked.reversal_request_id = at, request_id
        locked.save(update_fields=["reversed_at", "reversal_request_id"])
        with connection.cursor() as cursor:
            cursor.execute(TURN_BACK, {"grant": locked.pk, "at": at})
        told = {"vouchers": locked.voucher_count}
        trail.leave("grant.reversed", locked, brand_id=locked.brand_id, by=by, at=at, details=told)
        nudge_after_commit("vouchers.reverse_granted", queue="issue")
        return Made(locked, is_new=True)


def _plan(made: Grant, audience: Audience, *, by: Caller, at: datetime) -> None:
    """Batches first: how many there are is the grant's own, and its foreign key is checked at commit."""
    count = 0
    with connection.cursor() as cursor:
        size = max(1, BATCH_VOUCHERS // made.vouchers_each)
        for number, chosen in enumerate(_in_batches(_chosen(made, audience, at=at), size), start=1):
            count += len(chosen)
            customer_ids = f"{{{','.join(map(str, chosen))}}}"
            vouchers = len(chosen) * made.vouchers_each
            cursor.execute(
                WRITE_BATCH, [new_id(), made.pk, made.brand_id, number, customer_ids, vouchers, made.granted_at]
            )
    if not count:
        raise errors.GrantReachesNobody
    made.customer_count, made.voucher_count = count, count * made.vouchers_each
    made.save(force_insert=True)
    told = {"terms": made.terms.public_id, "customers": count, "vouchers": made.voucher_count, "reason": made.reason}
    trail.leave("grant.made", made, brand_id=made.brand_id, by=by, at=at, details=told)
    nudge_after_commit("vouchers.issue_granted", queue="issue")


def _chosen(made: Grant, audience: Audience, *, at: datetime) -> Iterator[UUID]:
    if audience.external_ids is not None:
        upserted = customers.upsert_many(
            brand_id=made.brand_id, provider=customers.BRANDS_OWN, external_ids=audience.external_ids, at=at
        )
        return iter(sorted(upserted))
    if audience.customer_ids is not None:
        return iter(sorted(_listed(audience.customer_ids, brand_id=made.brand_id)))
    _give_it_time()
    fitting = customers_of(audience.segment, brand=made.terms.deal.brand).order_by("pk")
    return fitting.values_list("pk", flat=True).iterator(chunk_size=10_000)


def _in_batches(chosen: Iterator[UUID], size: int) -> Iterator[list[UUID]]:
    while batch := list(islice(chosen, size)):
        yield batch


def _listed(customer_ids: Sequence[UUID], *, brand_id: UUID) -> set[UUID]:
    wanted = set(customer_ids)
    found = set(Customer.objects.filter(brand_id=brand_id, pk__in=wanted).values_list("pk", flat=True))
    if strangers := sorted(wanted - found):
        first = [f"{Customer.PREFIX}_{one.hex}" for one in strangers[:5]]
        raise errors.CustomersNotFound(param="customers", count=len(strangers), first=first)
    return wanted


def _give_it_time() -> None:
    """Choosing among millions takes longer than a request's statements may."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{PLANNING_SECONDS}s'")


def _vouchers_each(terms: DealTerms, per_customer: int) -> int:
    return per_customer * len(units([terms.pk])[terms.pk])


def _check(terms: DealTerms, audience: Audience, per_customer: int, *, at: datetime) -> None:
    listed = [given for given in (audience.customer_ids, audience.external_ids) if given is not None]
    if len(listed) + (audience.segment is not None) != 1:
        raise errors.GrantInvalid(
            param="segment", reason="exactly one of customers, external_ids and segment", param_zh="发放对象三选一"
        )
    if listed and not 1 <= len(listed[0]) <= MOST_LISTED:
        reason, zh = f"a list names 1 to {MOST_LISTED:,} customers", f"一次最多 {MOST_LISTED:,} 位顾客"
        raise errors.GrantInvalid(param="customers", reason=reason, param_zh=zh)
    if not 1 <= per_customer <= MOST_PER_CUSTOMER:
        reason, zh = f"1 to {MOST_PER_CUSTOMER} each", f"每人 1 到 {MOST_PER_CUSTOMER} 份"
        raise errors.GrantInvalid(param="per_customer", reason=reason, param_zh=zh)
    end = ends_at(terms.id)
    if end is not None and end <= at:
        raise errors.GrantInvalid(param="terms", reason="these vouchers would have expired", param_zh="券已过期")
    if is_recalled(terms.id):
        raise errors.GrantInvalid(param="terms", reason="these vouchers can be met no more", param_zh="券已无法兑付")


def _content(terms: DealTerms, audience: Audience, per_customer: int, reason: str) -> bytes:
    return content_hash(
        terms=terms.pk,
        per_customer=per_customer,
        reason=reason,
        customers=sorted(set(audience.customer_ids)) if audience.customer_ids is not None else None,
        external_ids=sorted(set(audience.external_ids)) if audience.external_ids is not None else None,
        segment=audience.segment,
    )
