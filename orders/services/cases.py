"""After-sale cases: opened by an agent, decided within her limits or by somebody above her."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import Caller
from config.kernel.idempotency import content_hash
from orders.errors import CaseInvalid, CaseIsDecided, CaseNeedsAnother
from orders.models import AfterSaleCase
from orders.services import after_use, remaking
from stores.models import Customer
from stores.services import trail
from stores.services.made import Key, Made, insert_once, made_before
from vouchers.errors import RedemptionAlreadyReversed, RedemptionNotFound, TermsNotFound
from vouchers.models import DealTerms, Redemption
from vouchers.services import grants
from vouchers.services.grants import Audience
from vouchers.settlement import Fault

Case, Outcome, Status = AfterSaleCase, AfterSaleCase.Outcome, AfterSaleCase.Status

AGENT_MOST_FEN = 3_000
AGENT_MOST_CASES = 3
AGENT_CASES_WITHIN = timedelta(days=90)
"""What an agent may decide by herself, as chains run their desks: ¥30 a case, 3 a customer in 90 days."""

BEARS = {
    Case.Fault.STORE: Fault.STORE,
    Case.Fault.BRAND: Fault.BRAND,
    Case.Fault.CUSTOMER: Fault.CUSTOMER,
    # Of what we sold ourselves no platform has a part it could be charged: the brand takes it up with it.
    Case.Fault.PLATFORM: Fault.BRAND,
}


@dataclass(frozen=True, slots=True)
class Complaint:
    """
    What went wrong with one use and what is to be done.

    ``amount_fen`` with a refund, ``compensation`` with a compensation (the terms of the voucher she gets), neither
    otherwise. What a remade drink costs is what was paid for it.
    """

    redemption_id: UUID
    reason: str
    fault: AfterSaleCase.Fault
    outcome: AfterSaleCase.Outcome
    amount_fen: int | None = None
    compensation_id: UUID | None = None


def open_case(
    *, brand_id: UUID, complaint: Complaint, may_approve: bool, request_id: UUID, by: Caller, at: datetime
) -> Made[AfterSaleCase]:
    """
    Decide a complaint where the caller may, else keep it for somebody who ``may_approve``.

    Within the limits of an agent are ``AGENT_MOST_FEN`` a case and ``AGENT_MOST_CASES`` of a customer in 90 days,
    declined ones left out; one customer's cases follow each other, so two agents cannot both have the last.
    Safe to retry: the same ``request_id`` with the same content is the same case.

    Raises:
        CaseInvalid: outcome, amount and compensation do not fit each other.
        RedemptionNotFound, RedemptionAlreadyReversed: there is no such use in this brand, or it was undone.
        TermsNotFound: no such terms of this brand to compensate with.
        IdempotencyConflict: ``request_id`` came before with other content.
        What ``after_use.give_back``, ``grants.give`` and ``remaking.remake`` raise, for a case decided at once.
    """
    content = content_hash(
        redemption=complaint.redemption_id,
        reason=complaint.reason,
        fault=complaint.fault,
        outcome=complaint.outcome,
        amount_fen=complaint.amount_fen,
        compensation=complaint.compensation_id,
    )
    key = Key(brand_id, request_id, content)
    if first := made_before(Case.objects.all(), key):
        return first
    _require_fitting(complaint)
    with transaction.atomic(durable=True):
        redemption = _use(complaint.redemption_id, brand_id=brand_id)
        _one_at_a_time(redemption.customer_id)
        case = Case(
            voucher_id=redemption.voucher_id,
            redemption=redemption,
            store_id=redemption.store_id,
            customer_id=redemption.customer_id,
            reason=complaint.reason,
            fault=complaint.fault,
            outcome=complaint.outcome,
            value_fen=_value_fen(complaint, redemption, brand_id=brand_id),
            compensation_terms_id=complaint.compensation_id,
            status=Status.AWAITING_APPROVAL,
            opened_at=at,
            opened_by_kind=by.kind,
            opened_by_id=by.id,
            **key._asdict(),
        )
        is_decided_now = may_approve or _is_within_limits(case)
        made = insert_once(case, key)
        if made.is_new:
            if is_decided_now:
                _decide(case, by=by, at=at)
            told = {"redemption": redemption.public_id, "outcome": case.outcome, "value_fen": case.value_fen}
            trail.leave("case.opened", case, brand_id=brand_id, by=by, at=at, details=told)
    return made


def approve(*, case: AfterSaleCase, by: Caller, at: datetime) -> AfterSaleCase:
    """
    Do what a waiting case asks for. Who opened it does not also approve it. Approving twice is approving once.

    Raises:
        CaseIsDecided: it was declined.
        CaseNeedsAnother: by the person who opened it.
        What ``after_use.give_back``, ``grants.give`` and ``remaking.remake`` raise: things have moved on.
    """
    with transaction.atomic(durable=True):
        locked = _lock(case)
        if locked.status == Status.DONE:
            return locked
        _require_waiting(locked)
        if (locked.opened_by_kind, locked.opened_by_id) == (by.kind, by.id):
            raise CaseNeedsAnother
        _decide(locked, by=by, at=at)
        trail.leave("case.approved", locked, brand_id=locked.brand_id, by=by, at=at, details={})
        return locked


def decline(*, case: AfterSaleCase, because: str, by: Caller, at: datetime) -> AfterSaleCase:
    """
    Turn a waiting case down. Declining twice is declining once.

    Raises:
        CaseIsDecided: it is done.
    """
    with transaction.atomic(durable=True):
        locked = _lock(case)
        if locked.status == Status.DECLINED:
            return locked
        _require_waiting(locked)
        locked.status, locked.declined_because = Status.DECLINED, because
        locked.decided_at, locked.decided_by_kind, locked.decided_by_id = at, by.kind, by.id
        locked.save(update_fields=["status", "declined_because", "decided_at", "decided_by_kind", "decided_by_id"])
        trail.leave("case.declined", locked, brand_id=locked.brand_id, by=by, at=at, details={"because": because})
        return locked


def _decide(case: AfterSaleCase, *, by: Caller, at: datetime) -> None:
    """Money or vouchers leave in the transaction that says so; the case's own key names them."""
    assert connection.in_atomic_block, "a decision commits with what it does"
    if case.outcome == Outcome.REFUND:
        case.refund = after_use.give_back(
            brand_id=case.brand_id,
            redemption_id=case.redemption_id,
            amount_fen=case.value_fen,
            fault=BEARS[Case.Fault(case.fault)],
            reason=case.reason,
            request_id=case.pk,
            by=by,
            at=at,
        )
    if case.outcome == Outcome.COMPENSATION:
        assert case.compensation_terms_id is not None, "checked when it was opened"
        case.grant = grants.give(
            terms=DealTerms.objects.select_related("deal").get(pk=case.compensation_terms_id),
            audience=Audience(customer_ids=[case.customer_id]),
            per_customer=1,
            reason=case.reason,
            key=Key(case.brand_id, case.pk, bytes(case.content_hash)),
            by=by,
            at=at,
        )
    if case.outcome == Outcome.REMAKE:
        remaking.remake(case, fault=BEARS[Case.Fault(case.fault)], at=at)
    case.status, case.decided_at, case.decided_by_kind, case.decided_by_id = Status.DONE, at, by.kind, by.id
    case.save(update_fields=["refund", "grant", "status", "decided_at", "decided_by_kind", "decided_by_id"])


def _one_at_a_time(customer_id: UUID) -> None:
    """Her cases are counted one after the other."""
    Customer.objects.select_for_update(no_key=True).get(pk=customer_id)


def _is_within_limits(case: AfterSaleCase) -> bool:
    if case.value_fen > AGENT_MOST_FEN:
        return False
    since = case.opened_at - AGENT_CASES_WITHIN
    hers = Case.objects.filter(brand_id=case.brand_id, customer_id=case.customer_id, opened_at__gt=since)
    # An explanation costs nothing, so it uses nothing up.
    return case.outcome == Outcome.EXPLAINED or (
        hers.exclude(status=Status.DECLINED).exclude(outcome=Outcome.EXPLAINED).count() < AGENT_MOST_CASES
    )


def _require_fitting(complaint: Complaint) -> None:
    needs_amount, needs_terms = complaint.outcome == Outcome.REFUND, complaint.outcome == Outcome.COMPENSATION
    if (complaint.amount_fen is not None) != needs_amount:
        raise CaseInvalid(
            param="amount_fen", reason="a refund has an amount, and nothing else has", zh_reason="仅退款填写金额"
        )
    if (complaint.compensation_id is not None) != needs_terms:
        raise CaseInvalid(
            param="compensation",
            reason="a compensation names its terms, and nothing else does",
            zh_reason="仅补偿填写券",
        )
    if complaint.fault == Case.Fault.CUSTOMER and complaint.outcome != Outcome.EXPLAINED:
        raise CaseInvalid(
            param="outcome", reason="what is the customer's own fault is explained", zh_reason="顾客原因只能解释说明"
        )


def _use(redemption_id: UUID, *, brand_id: UUID) -> Redemption:
    found = Redemption.objects.filter(pk=redemption_id, voucher__brand_id=brand_id).first()
    if found is None:
        raise RedemptionNotFound(param="redemption")
    if found.reversed_at is not None:
        raise RedemptionAlreadyReversed(reversed_at=found.reversed_at.isoformat())
    return found


def _value_fen(complaint: Complaint, redemption: Redemption, *, brand_id: UUID) -> int:
    match complaint.outcome:
        case Outcome.REFUND:
            return complaint.amount_fen or 0
        case Outcome.REMAKE:
            return redemption.amount_fen
        case Outcome.COMPENSATION:
            assert complaint.compensation_id is not None, "checked with the complaint"
            terms = DealTerms.objects.filter(pk=complaint.compensation_id, deal__brand_id=brand_id).first()
            if terms is None:
                raise TermsNotFound(param="compensation")
            return terms.list_price_fen
    return 0


def _lock(case: AfterSaleCase) -> AfterSaleCase:
    return Case.objects.select_for_update(no_key=True).get(pk=case.pk)


def _require_waiting(case: AfterSaleCase) -> None:
    if case.status != Status.AWAITING_APPROVAL:
        raise CaseIsDecided(status=case.status)
