"""A refund after use: money given back for a drink that was made, charged to whoever is at fault."""

from datetime import datetime
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet, Sum

from config.kernel import audit
from config.kernel.caller import Caller
from config.kernel.errors import IdempotencyConflict
from config.kernel.jobs import nudge_after_commit
from orders.errors import AfterUseTooMuch, NothingPaidHere, UseNotSettled
from orders.models import LedgerTransfer, Refund, Settlement
from orders.queries import paid_by
from orders.services import invoicing, ledger, settlement_lines, settling
from orders.services.ledger import Posting
from orders.services.settlement_lines import Line
from stores.business_days import business_date
from stores.models import Store
from vouchers.errors import RedemptionAlreadyReversed, RedemptionNotFound, RefundAtIssuer
from vouchers.models import Redemption, Voucher
from vouchers.queries.settlement_rules import settlement_rules
from vouchers.settlement import DEFAULT_RULE, Division, Fault, SettlementRule, take_back


def give_back(
    *,
    brand_id: UUID,
    redemption_id: UUID,
    amount_fen: int,
    fault: Fault,
    reason: str,
    request_id: UUID,
    by: Caller,
    at: datetime,
) -> Refund:
    """
    Give back up to all that was paid for a use that can no longer be undone; several times, never more in sum.

    Inside the transaction of the act that decides it. Safe to retry: the same ``request_id`` finds the first answer.
    The use's line stays as it is: what is taken back is a line of its own, of today, for the entity that made the
    drink. A use that is due and not settled yet is settled first, under the same lock that the worker skips. What was
    invoiced of it is corrected by a red invoice.

    Raises:
        RedemptionNotFound: no such redemption in this brand.
        RedemptionAlreadyReversed: it was undone, so its voucher is good again.
        UseNotSettled: it can still be undone, which gives all of it back.
        RefundAtIssuer: another platform sold it and gives the money back.
        NothingPaidHere: it cost nothing.
        AfterUseTooMuch: more than is left of what was paid; says how much.
        IdempotencyConflict: ``request_id`` came before with another amount or fault.
    """
    assert connection.in_atomic_block, "money is given back with the act that decides it"
    assert amount_fen > 0, "the edge refuses less"
    redemption = lock(redemption_id, brand_id=brand_id)
    corrections = Settlement.objects.filter(redemption_id=redemption_id, source_kind=Settlement.Source.AFTER_USE)
    if first := corrections.filter(request_id=request_id).first():
        if (-first.paid_fen, first.fault) != (amount_fen, fault):
            raise IdempotencyConflict(param="Idempotency-Key")
        return Refund.objects.get(pk=first.pk)
    line = _settled(redemption, at=at)
    purchase_id = _bought(redemption.voucher, line)
    before_fen = given_back(corrections)
    if amount_fen > (most := line.paid_fen - before_fen):
        raise AfterUseTooMuch(most_fen=most, param="amount_fen")
    refund = Refund.objects.create(
        payment_id=paid_by([purchase_id])[purchase_id].payment_id,
        purchase_id=purchase_id,
        customer_id=line.customer_id,
        source_kind=Refund.Source.AFTER_USE,
        source_id=redemption_id,
        amount_fen=amount_fen,
        due_at=at,
        requested_at=at,
    )
    _record(refund, redemption, brand_id=brand_id, fault=fault, reason=reason, by=by, at=at)
    at_fault = fault if line.entity_id else Fault.BRAND if fault == Fault.STORE else fault
    taken = take_back(_division(line), _rule(line), before_fen=before_fen, refund_fen=amount_fen, fault=at_fault)
    settlement_lines.book([_correction(line, refund, taken, fault, request_id, at=at)], at=at)
    ledger.post([Posting(LedgerTransfer.Kind.AFTER_USE_REFUND, brand_id, amount_fen, "refund", refund.pk)], at=at)
    invoicing.credit(redemption_id=redemption_id, refund_id=refund.pk, amount_fen=amount_fen, at=at)
    nudge_after_commit("orders.send_refunds", queue="outside")
    return refund


def _record(
    refund: Refund, redemption: Redemption, *, brand_id: UUID, fault: Fault, reason: str, by: Caller, at: datetime
) -> None:
    told = {
        "redemption": redemption.public_id,
        "amount_fen": refund.amount_fen,
        "fault": fault.value,
        "reason": reason,
    }
    audit.record(
        act="refund.after_use",
        actor_kind=by.kind,
        actor_id=by.id,
        subject_kind="refund",
        subject_id=refund.pk,
        brand_id=brand_id,
        details=told,
        at=at,
    )


def lock(redemption_id: UUID, *, brand_id: UUID) -> Redemption:
    """The use, which settling, undoing and other refunds of it wait for or pass by."""
    assert connection.in_atomic_block
    found = (
        Redemption.objects.select_for_update(no_key=True, of=("self",))
        .select_related("voucher")
        .filter(pk=redemption_id, voucher__brand_id=brand_id)
        .first()
    )
    if found is None:
        raise RedemptionNotFound
    return found


def require_live(redemption: Redemption) -> None:
    """
    See that it was not undone; under its lock.

    Raises:
        RedemptionAlreadyReversed: says when.
    """
    if redemption.reversed_at is not None:
        raise RedemptionAlreadyReversed(reversed_at=redemption.reversed_at.isoformat())


def _settled(redemption: Redemption, *, at: datetime) -> Settlement:
    require_live(redemption)
    if redemption.settled_at is None:
        settling.settle_named([redemption.pk], at=at)
    line = Settlement.objects.filter(pk=redemption.pk).first()
    if line is None:
        until = redemption.reversible_until
        raise UseNotSettled(reversible_until=until.isoformat() if until else None)
    return line


def _bought(voucher: Voucher, line: Settlement) -> UUID:
    if voucher.source_kind == Voucher.Source.PLATFORM:
        raise RefundAtIssuer(issuer=voucher.issuer)
    if line.purchase_id is None or line.paid_fen == 0:
        raise NothingPaidHere
    return line.purchase_id


def given_back(corrections: QuerySet[Settlement]) -> int:
    """What was given back of a use so far; read under its lock."""
    return -(corrections.aggregate(fen=Sum("paid_fen"))["fen"] or 0)


def _division(line: Settlement) -> Division:
    return Division(
        paid_fen=line.paid_fen,
        share_fen=line.share_fen,
        subsidy_fen=line.subsidy_fen,
        fee_fen=line.fee_fen,
        borne_fen=line.borne_fen,
        promoter_fen=line.promoter_fen,
        provider_fen=line.provider_fen,
        platform_fen=line.platform_fen,
    )


def line_of(settled: Settlement) -> Line:
    """A line that was booked, as what it said."""
    return Line(
        id=settled.pk,
        brand_id=settled.brand_id,
        source_kind=Settlement.Source(settled.source_kind),
        store_id=settled.store_id,
        entity_id=settled.entity_id,
        customer_id=settled.customer_id,
        business_date=settled.business_date,
        division=_division(settled),
        redemption_id=settled.redemption_id,
        purchase_id=settled.purchase_id,
        terms_id=settled.terms_id,
        rule=settled.rule,
    )


def _rule(line: Settlement) -> SettlementRule:
    if line.rule is None or line.terms_id is None:
        return DEFAULT_RULE
    return settlement_rules([line.terms_id])[line.terms_id][line.rule]


def _correction(
    line: Settlement, refund: Refund, taken: Division, fault: Fault, request_id: UUID, *, at: datetime
) -> Line:
    store = Store.objects.get(pk=line.store_id)
    return Line(
        id=refund.pk,
        brand_id=line.brand_id,
        source_kind=Settlement.Source.AFTER_USE,
        store_id=line.store_id,
        entity_id=line.entity_id,
        customer_id=line.customer_id,
        business_date=business_date(hours=store.hours, zone=store.zone, at=at),
        division=taken,
        redemption_id=line.redemption_id,
        purchase_id=line.purchase_id,
        terms_id=line.terms_id,
        rule=line.rule,
        promoter_id=line.promoter_id,
        fault=fault.value,
        request_id=request_id,
    )
