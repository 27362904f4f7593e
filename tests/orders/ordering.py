"""Orders at a store whose price is settled, placed and paid as checkout and the inbox do it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from config.kernel.caller import Caller, CallerKind
from config.kernel.pipeline import pipelined
from orders.models import Payment, Refund, StoreOrder
from orders.providers.interface import NoticeEvent
from orders.services import order_moves, placing
from orders.services.placing import Cause, Placed
from orders.services.priced_orders import PricedLine, PricedOrder, PricedUse
from stores.models import Customer, Product
from stores.queries import StoreNow, send_stores, stores_now
from tests import factories
from tests.factories import NOW
from tests.orders.buying import captured, tell
from tests.vouchers.counters import Counter
from vouchers.models import Voucher
from vouchers.queries.facts import facts_of, send_facts
from vouchers.services import voucher_locks

CUP_FEN = 1_900


def store_now(counter: Counter, at: datetime = NOW) -> StoreNow:
    with transaction.atomic():
        with pipelined() as send:
            looking = send_stores(send, [counter.store.id], at)
        return stores_now(looking, at)[counter.store.id]


def priced(
    *lines: tuple[Product, int], uses: Sequence[tuple[Voucher, int, int]] = (), unit_fen: int = CUP_FEN
) -> PricedOrder:
    """Uses are (voucher, serial, fen off); all of it off the first line."""
    off = sum(fen for _, _, fen in uses)
    return PricedOrder(
        lines=tuple(
            PricedLine(product.id, product.name, (), unit_fen, count, off if position == 0 else 0)
            for position, (product, count) in enumerate(lines)
        ),
        uses=tuple(PricedUse(voucher.id, serial, {0: fen}) for voucher, serial, fen in uses),
    )


def place(
    counter: Counter,
    order: PricedOrder | None = None,
    *,
    customer: Customer | None = None,
    request_id: UUID | None = None,
    at: datetime = NOW,
) -> Placed:
    """One cup at ¥19, to be paid in full, where nothing else is said."""
    order = order or priced((factories.product(counter.brand), 1))
    ids = [use.voucher_id for use in order.uses]
    first = Voucher.objects.filter(id__in=ids).first()
    if customer is not None:
        customer_id = customer.id
    else:
        customer_id = first.customer_id if first else factories.customer(counter.brand).id
    with transaction.atomic():
        vouchers = {voucher.id: voucher for voucher in voucher_locks.lock(ids)}
        with pipelined() as send:
            codes = {(counter.store.id, voucher.code) for voucher in vouchers.values()}
            asking = send_facts(send, keys=[], codes=codes)
        stories = facts_of(asking, terms_ids={voucher.terms_id for voucher in vouchers.values()}).stories
        return placing.place(
            priced=order,
            store=store_now(counter, at),
            cause=Cause(customer_id, request_id or uuid4(), b"0" * 16, "sandbox"),
            vouchers=vouchers,
            stories=stories,
            at=at,
        )


def confirmed(counter: Counter, *, voucher: Voucher | None = None, at: datetime = NOW, **lines: Any) -> StoreOrder:
    """A cup that one voucher pays for altogether."""
    voucher = voucher or counter.voucher()
    product = lines.get("product") or factories.product(counter.brand)
    return place(counter, priced((product, 1), uses=[(voucher, 1, CUP_FEN)]), at=at).order


def capture(payment: Payment | None, **fields: Any) -> NoticeEvent:
    assert payment is not None, "nothing was due"
    return captured(payment, **fields)


def pay(placed: Placed, *, at: datetime = NOW, **fields: Any) -> StoreOrder:
    """The provider captured what is due, and tells."""
    tell(capture(placed.payment, **fields), at=at)
    return StoreOrder.objects.get(pk=placed.order.pk)


def by_clerk(counter: Counter) -> dict[str, Any]:
    return {"store_id": counter.store.id, "by": Caller(kind=CallerKind.STAFF, id=counter.clerk.id)}


def move(counter: Counter, order: StoreOrder, *acts: str, at: datetime) -> StoreOrder:
    """Accepted, being made, ready, collected: as far as ``acts`` go."""
    for act in acts:
        order = getattr(order_moves, act)(order_id=order.id, at=at, **by_clerk(counter))
    return order


def refunds_of(order: StoreOrder) -> list[tuple[str, int]]:
    return list(Refund.objects.filter(store_order=order).order_by("id").values_list("source_kind", "amount_fen"))
