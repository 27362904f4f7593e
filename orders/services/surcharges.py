"""Surcharges at the counter: asked for by QR, or recorded as paid at the till."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from config.kernel import audit
from config.kernel.caller import CallerKind
from config.kernel.errors import IdempotencyConflict
from config.kernel.idempotency import content_hash
from config.kernel.ids import public
from orders.errors import NothingToSurcharge, SurchargeTooLate
from orders.models import LedgerTransfer, Surcharge
from orders.providers import registry
from orders.providers.interface import PaymentTerms
from orders.services import ledger
from orders.services.ledger import Posting
from stores.models import Product, Store
from stores.queries import menu_of, stores_for_clerks
from vouchers.errors import RedemptionAlreadyReversed, RedemptionNotFound
from vouchers.models import DealTerms, Redemption
from vouchers.plan.extras import extra_fen
from vouchers.queries.plannable import asked_of


@dataclass(frozen=True, slots=True)
class Extra:
    """
    What is beyond the voucher: an amount with its reason, or a product with the options she chose, from
    which the amount follows.
    """

    reason: str = ""
    amount_fen: int | None = None
    product_id: UUID | None = None
    option_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """``is_repeat`` where the same request had asked before."""

    surcharge: Surcharge
    is_repeat: bool


def payable_until(surcharge: Surcharge) -> datetime:
    return surcharge.created_at + timedelta(seconds=settings.SURCHARGE_PAYABLE_SECONDS)


def payment_parameters(surcharge: Surcharge) -> dict[str, Any] | None:
    """What the QR carries to the provider, signed here; None where there is nothing to pay any more."""
    if surcharge.status != Surcharge.Status.OPEN:
        return None
    terms = PaymentTerms(surcharge.public_id, surcharge.amount_fen, payable_until(surcharge))
    return registry.by_name(surcharge.provider).parameters(terms)


def ask_by_qr(
    *, redemption_id: UUID, extra: Extra, provider: str, operator_id: UUID, request_id: UUID, at: datetime
) -> Asked:
    """
    Let the customer pay what her drink costs beyond the voucher that was just redeemed.

    Safe to retry: the same ``request_id`` with the same content is the same surcharge in its current state. It
    waits for its money for minutes, and is given back when the redemption is undone.

    Raises:
        RedemptionNotFound: no such redemption, or the operator may not redeem at its store.
        RedemptionAlreadyReversed: there is no drink to pay for.
        SurchargeTooLate: it can no longer be undone, so nothing more is asked for it.
        NothingToSurcharge: what she chose costs nothing more.
        ProductNotFound, ProductSoldOut, OptionNotFound, OptionsDoNotFit: about what she chose.
        ProviderNotFound: see there.
        IdempotencyConflict: ``request_id`` came before with other content.
    """
    registry.by_name(provider)
    return _make(redemption_id, extra, provider=provider, operator_id=operator_id, request_id=request_id, at=at)


def record_at_till(*, redemption_id: UUID, extra: Extra, operator_id: UUID, request_id: UUID, at: datetime) -> Asked:
    """
    Write down that she paid it at the store's till.

    Safe to retry, as ``ask_by_qr`` is. When the redemption is undone it is recorded as given back: the clerk hands
    the money over.

    Raises:
        What ``ask_by_qr`` raises, but for the provider.
    """
    return _make(redemption_id, extra, provider="", operator_id=operator_id, request_id=request_id, at=at)


def _make(
    redemption_id: UUID, extra: Extra, *, provider: str, operator_id: UUID, request_id: UUID, at: datetime
) -> Asked:
    content = content_hash(
        redemption=redemption_id,
        reason=extra.reason,
        amount_fen=extra.amount_fen,
        product=extra.product_id,
        options=sorted(option_id.hex for option_id in extra.option_ids),
        provider=provider,
    )
    with transaction.atomic(durable=True):
        # The redemption's own row keeps an undo out: it either sees this surcharge, or is seen here.
        rows = Redemption.objects.select_for_update(no_key=True, of=("self",)).select_related("voucher", "store")
        redemption = rows.filter(pk=redemption_id).first()
        if redemption is None or not stores_for_clerks([(redemption.store_id, operator_id)], at):
            raise RedemptionNotFound
        first = Surcharge.objects.filter(store_id=redemption.store_id, request_id=request_id).first()
        if first is not None:
            if bytes(first.content_hash) != content:
                raise IdempotencyConflict(param="Idempotency-Key")
            return Asked(first, is_repeat=True)
        _check(redemption, at=at)
        priced = _priced(extra, redemption, at=at)
        surcharge = Surcharge(
            redemption=redemption,
            brand_id=redemption.voucher.brand_id,
            store_id=redemption.store_id,
            customer_id=redemption.customer_id,
            request_id=request_id,
            content_hash=content,
            way=Surcharge.Way.PROVIDER if provider else Surcharge.Way.TILL,
            provider=provider,
            amount_fen=priced.amount_fen,
            reason=priced.reason,
            items=priced.items,
            status=Surcharge.Status.OPEN if provider else Surcharge.Status.PAID,
            operator_id=operator_id,
            created_at=at,
            paid_at=None if provider else at,
        )
        try:
            with transaction.atomic():
                surcharge.save(force_insert=True)
        except IntegrityError as error:
            # The key went to another redemption between our look and our write.
            raise IdempotencyConflict(param="Idempotency-Key") from error
        audit.record(
            act="surcharge.asked",
            actor_kind=CallerKind.STAFF,
            actor_id=operator_id,
            subject_kind="surcharge",
            subject_id=surcharge.pk,
            brand_id=surcharge.brand_id,
            details={"amount_fen": surcharge.amount_fen, "way": surcharge.way, "reason": surcharge.reason},
            at=at,
        )
        if surcharge.way == Surcharge.Way.TILL:
            ledger.post([posting(LedgerTransfer.Kind.SURCHARGE_AT_TILL, surcharge)], at=at)
    return Asked(surcharge, is_repeat=False)


def posting(kind: LedgerTransfer.Kind, surcharge: Surcharge) -> Posting:
    """The transfer of one surcharge's own amount."""
    return Posting(
        kind=kind,
        brand_id=surcharge.brand_id,
        amount_fen=surcharge.amount_fen,
        source_kind="surcharge",
        source_id=surcharge.pk,
        owner=surcharge.provider,
    )


def _check(redemption: Redemption, *, at: datetime) -> None:
    if redemption.reversed_at is not None:
        raise RedemptionAlreadyReversed(reversed_at=redemption.reversed_at.isoformat())
    until = redemption.reversible_until
    if until is None or at >= until or redemption.settled_at is not None:
        raise SurchargeTooLate


@dataclass(frozen=True, slots=True)
class _Priced:
    amount_fen: int
    reason: str
    items: list[dict[str, Any]]


def _priced(extra: Extra, redemption: Redemption, *, at: datetime) -> _Priced:
    if extra.product_id is None:
        assert extra.amount_fen is not None, "the edge asks for one of the two"
        return _Priced(extra.amount_fen, extra.reason, [])
    menu = menu_of(Store.objects.get(pk=redemption.store_id), at=at)
    chosen = menu.choose(extra.product_id, extra.option_ids)
    included = _included(redemption.voucher.terms, chosen.product.product_id)
    amount_fen, dearer = 0, []
    for group in chosen.product.groups:
        asked = asked_of(group, chosen)
        more = extra_fen(asked, included)
        amount_fen += more
        if more > 0:
            beyond = asked.chosen.difference(included)
            dearer += [one for one in group.options if one.public_id in beyond and one.price_delta_fen]
    if not amount_fen:
        raise NothingToSurcharge
    reason = extra.reason or " ".join((chosen.product.name, *(option.name for option in dearer)))
    items = [{"product": chosen.product.public_id, "options": [option.public_id for option in chosen.options]}]
    return _Priced(amount_fen, reason[:128], items)


def _included(terms: DealTerms, product_id: UUID) -> list[str]:
    named = public(Product.PREFIX, product_id)
    items = [item for group in terms.package_groups for item in group.get("items", ()) if item.get("product") == named]
    return [option for item in items for options in (item.get("options") or {}).values() for option in options]
