"""
A remake at ¥0: the store makes a drink again, out of its own stock, and hears on its statement at whose cost.

What a remake is worth is what the first one settles to for the store's entity: nobody else is paid for it again. Where
the brand bears it (its fault or a platform's, or the terms' ``remakes_by``), it pays that to whoever makes the drink;
where the entity bears it, it has already paid with what it took from its shelf, and the line says so with ¥0.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

from django.db import connection

from config.kernel.ids import parse
from config.kernel.pipeline import pipelined
from orders.models import AfterSaleCase, AppliedVoucher, Settlement
from orders.services import after_use, settlement_lines, settling
from orders.services.settlement_lines import Line
from stores.business_days import business_date
from stores.models import Option, StockReservation, Store, Substitution
from stores.queries import entity_on
from stores.services import handing_over
from stores.services.handing_over import Taken
from vouchers.models import Redemption
from vouchers.queries import terms
from vouchers.queries.plannable import certain_products
from vouchers.queries.settlement_rules import settlement_rules
from vouchers.services.settling import SettledUse
from vouchers.settlement import DEFAULT_RULE, Bearer, Division, Fault, SettlementRule

Cup = tuple[UUID, frozenset[UUID] | None]
"""A product with its answers; None where nobody wrote them down."""


def remake(case: AfterSaleCase, *, fault: Fault, at: datetime) -> None:
    """
    Take what is made again from the store's stock, and book at whose cost; the case's own key names both.

    Runs inside the transaction that decides the case, once, and last in it: books are held until commit. Stock is
    taken whatever is left of it, as over a counter.

    Raises:
        RedemptionAlreadyReversed: it was undone meanwhile, so her voucher is good again.
    """
    assert connection.in_atomic_block, "a remake commits with the case that decides it"
    redemption = after_use.lock(case.redemption_id, brand_id=case.brand_id)
    after_use.require_live(redemption)
    store = Store.objects.get(pk=case.store_id)
    day = business_date(hours=store.hours, zone=store.zone, at=at)
    taken = [
        Taken(store.id, product_id, count, day, case.pk, options)
        for (product_id, options), count in _cups(redemption).items()
    ]
    if taken:
        with pipelined() as send:
            handing_over.send_hand_over(send, taken, source_kind=StockReservation.Source.REMAKE, at=at)
    settlement_lines.book([_line(case, redemption, day, fault, at=at)], at=at)


def _cups(redemption: Redemption) -> Counter[Cup]:
    """
    What the use paid for: in an order the cups of the lines it took something off, one begun included; over a counter
    what its voucher says, as far as nobody chose.
    """
    applied = (
        AppliedVoucher.objects.filter(
            order__redemption_request_id=redemption.request_id,
            voucher_id=redemption.voucher_id,
            serial=redemption.serial,
        )
        .select_related("order")
        .first()
    )
    cups: Counter[Cup] = Counter()
    if applied is None:
        of_voucher = terms([redemption.voucher.terms_id])[redemption.voucher.terms_id]
        logged = Substitution.objects.filter(source_id=redemption.pk).values_list("product_id", "substitute_id")
        instead = dict(logged)
        for product_id, count in certain_products(of_voucher).items():
            cups[instead.get(product_id, product_id), None] += count
        return cups
    for line in applied.order.lines.all():
        off_fen = applied.off_lines.get(str(line.position), 0)
        if off_fen:
            options = frozenset(_options(line.options))
            cups[line.product_id, options] += min(line.quantity, -(-off_fen // line.unit_fen))
    return cups


def _options(written: Iterable[dict[str, str]]) -> Iterable[UUID]:
    return (parse(Option.PREFIX, one["option"]) for one in written)


def _line(case: AfterSaleCase, redemption: Redemption, day: date, fault: Fault, *, at: datetime) -> Line:
    use = _settles_to(redemption, at=at)
    entity_id = entity_on(case.store_id, day)
    is_brands = fault == Fault.BRAND or _rule(use).remakes_by == Bearer.BRAND
    worth_fen = max(0, use.division.entity_fen) if is_brands and entity_id else 0
    return Line(
        id=case.pk,
        brand_id=case.brand_id,
        source_kind=Settlement.Source.REMAKE,
        store_id=case.store_id,
        entity_id=entity_id,
        customer_id=case.customer_id,
        business_date=day,
        division=Division(0, worth_fen, 0, 0, 0, 0, 0, 0),
        redemption_id=redemption.pk,
        purchase_id=use.purchase_id,
        terms_id=use.terms_id,
        rule=use.rule,
        fault=fault.value,
    )


def _settles_to(redemption: Redemption, *, at: datetime) -> Line:
    """The use's own line: as it settled, or as it would now by the same code."""
    settled = Settlement.objects.filter(pk=redemption.pk).first()
    if settled is not None:
        return after_use.line_of(settled)
    use = SettledUse(*(getattr(redemption, name) for name in SettledUse._fields))
    [line] = settling.lines_of([use], at=at)
    return line


def _rule(line: Line) -> SettlementRule:
    if line.rule is None or line.terms_id is None:
        return DEFAULT_RULE
    return settlement_rules([line.terms_id])[line.terms_id][line.rule]
