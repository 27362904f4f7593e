"""Undo at the counter."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F

from config.accounts.models import User
from config.kernel import audit, outbox
from config.kernel.caller import Caller
from config.kernel.ids import public
from stores.models import Customer, StockReservation, Store
from stores.queries import stores_for_clerks
from stores.services import stock
from vouchers import errors, queries
from vouchers.models import Redemption, RedemptionRequest, Voucher
from vouchers.services import grant_reversal, voucher_locks
from vouchers.services.actors import Actor, actor_of
from vouchers.services.endings import status_from_rows
from vouchers.signals import reversed_
from vouchers.verdict import valid_until_of

GRACE_AFTER_EXPIRY = timedelta(hours=24)


def reverse(*, redemption_id: UUID, operator: User | Caller, request_id: UUID, at: datetime) -> Redemption:
    """
    Take back one redemption made at the counter: its use is free again.

    Safe to retry: the same ``request_id`` gives back the same redemption. Decided under the voucher's
    lock, so of undo, redeem, refund and expiry one wins. After ``valid_until`` the voucher gets 24 hours
    of grace: ``valid_until`` itself moves, because everything that asks until when reads that column (the
    terms and the day of purchase still say what was sold); then it expires, refund included.

    Raises:
        RedemptionNotFound: no such redemption, or the operator may not redeem at its store.
        RedemptionBelongsToOrder: an order made it, and only the order undoes it.
        RedemptionAlreadyReversed: by another request.
        RedemptionSettled: the store has been credited.
        ReversalWindowOver: ``at`` is on or after ``reversible_until``.
    """
    with transaction.atomic(durable=True):
        asked = Redemption.objects.filter(pk=redemption_id).first()
        who = operator if isinstance(operator, Caller) else operator.id
        if asked is None or not stores_for_clerks([(asked.store_id, who)], at):
            raise errors.RedemptionNotFound
        actor = actor_of(who)
        grant_reversal.look_again(voucher_ids=[asked.voucher_id], at=at)
        [voucher] = voucher_locks.lock([asked.voucher_id])
        # Read again under the lock: the first look only told which voucher to lock.
        redemption = Redemption.objects.select_related("request").get(pk=redemption_id)
        redemption.voucher = voucher
        if redemption.reversal_request_id == request_id:
            return redemption
        assert voucher.issuer == Voucher.OWN, "what a platform redeemed is undone by issuer_reversal"
        _check(redemption, at=at)
        mark(redemption, actor=actor, request_id=request_id, at=at)
        free_the_use(voucher, at=at)
        announce(redemption, actor=actor, at=at)
        reversed_.send(sender=Redemption, redemptions=[redemption], at=at)
        return redemption


def _check(redemption: Redemption, *, at: datetime) -> None:
    if redemption.request.source_kind == RedemptionRequest.Source.STORE_ORDER:
        raise errors.RedemptionBelongsToOrder
    if redemption.reversed_at is not None:
        raise errors.RedemptionAlreadyReversed(reversed_at=redemption.reversed_at.isoformat())
    if redemption.settled_at is not None:
        raise errors.RedemptionSettled
    until = redemption.reversible_until
    if until is None or at >= until:
        raise errors.ReversalWindowOver(reversible_until=until.isoformat() if until else None)


def mark(redemption: Redemption, *, actor: Actor, request_id: UUID, at: datetime) -> None:
    """
    Write down that a redemption is undone, and put back what it took from stock. Runs under its voucher's lock.

    Raises:
        RedemptionSettled: the store has been credited meanwhile.
    """
    # Another server's clock may have been ahead when it redeemed.
    redemption.reversed_at = max(at, redemption.redeemed_at)
    redemption.reversed_by_id = actor.id
    redemption.reversal_request_id = request_id
    # Settlement does not take the voucher's lock; whoever sets its column first wins.
    marked = Redemption.objects.filter(pk=redemption.pk, reversed_at__isnull=True, settled_at__isnull=True).update(
        reversed_at=redemption.reversed_at, reversed_by_id=actor.id, reversal_request_id=request_id
    )
    if not marked:
        raise errors.RedemptionSettled
    stock.give_back(source_kind=StockReservation.Source.REDEMPTION, source_ids=[redemption.pk], at=at)


def free_the_use(voucher: Voucher, *, at: datetime) -> None:
    """One use of a locked voucher may be used again, for a day at least."""
    # What amendments gave meanwhile is counted here: a used voucher is not moved until it is free again.
    terms = queries.terms([voucher.terms_id])[voucher.terms_id]
    until = valid_until_of(voucher, terms)
    voucher.valid_until = until if at < until else at + GRACE_AFTER_EXPIRY
    voucher.extensions = len(terms.extensions)
    voucher.uses_left += 1
    voucher.status = status_from_rows(voucher)
    Voucher.objects.filter(pk=voucher.pk).update(
        uses_left=F("uses_left") + 1,
        status=voucher.status,
        valid_until=voucher.valid_until,
        extensions=voucher.extensions,
    )


def announce(redemption: Redemption, *, actor: Actor, at: datetime) -> None:
    """Leave the trail of an undo and tell subscribers."""
    voucher = redemption.voucher
    audit.record(
        act="voucher.reverse",
        actor_kind=actor.kind,
        actor_id=actor.id,
        subject_kind="redemption",
        subject_id=redemption.id,
        brand_id=voucher.brand_id,
        details={"store": public(Store.PREFIX, redemption.store_id), **actor.told},
        at=at,
    )
    item = {
        "redemption": redemption.public_id,
        "voucher": voucher.public_id,
        "customer": public(Customer.PREFIX, voucher.customer_id),
        "store": public(Store.PREFIX, redemption.store_id),
        "serial": redemption.serial,
        "amount_fen": redemption.amount_fen,
        "uses_left": voucher.uses_left,
        "valid_until": voucher.valid_until.isoformat(),
    }
    outbox.announce(brand_id=voucher.brand_id, topic="vouchers.reversed", items=[item], at=at)
