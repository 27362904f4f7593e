"""A sold-out product's substitute in an order: offered, chosen by the customer, settled as what it stands for."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from config.kernel.caller import Caller, CallerKind
from config.kernel.ids import public
from orders.models import StoreOrder
from orders.services.priced_orders import PricedLine
from stores.errors import SubstituteNotNeeded, SubstituteNotOffered
from stores.models import Product, Substitution
from stores.queries import Chosen, StoreNow
from stores.queries.substitutes import offered
from stores.services import substitutes
from stores.services.substitutes import Instead
from vouchers.models import Redemption


def check(store: StoreNow, chosen: Sequence[tuple[Chosen, int]]) -> None:
    """
    See that what is asked for instead of something is offered instead of it now.

    One statement for each product that is substituted, none for other carts.

    Raises:
        SubstituteNotNeeded: the store has as many of the product as the cart asks for.
        SubstituteNotOffered: head office does not offer that instead, or the store has none of it.
    """
    wanted: Counter[UUID] = Counter()
    for one, quantity in chosen:
        wanted[one.priced_as.product_id] += quantity
    for product in {one.instead_of for one, _ in chosen if one.instead_of is not None}:
        if not product.is_sold_out and (product.left is None or product.left >= wanted[product.product_id]):
            raise SubstituteNotNeeded(name=product.name, product=product.public_id, param="lines")
        found = offered(store_id=store.store_id, today=store.business_date, product_id=product.product_id, most=None)
        known = {one.product_id for one in found}
        for one, _ in chosen:
            if one.instead_of == product and one.product.product_id not in known:
                raise SubstituteNotOffered(name=one.product.name, product=one.product.public_id, param="lines")


def told(lines: Sequence[PricedLine]) -> list[Instead]:
    """What of these lines is made instead of something else."""
    return [
        Instead(line.instead_of_id, line.instead_of_name, line.product_id, line.name)
        for line in lines
        if line.instead_of_id is not None
    ]


def trail_of(lines: Sequence[PricedLine]) -> dict[str, Any]:
    """What the trail of an order says of its substitutes; nothing without them."""
    pairs = [[public(Product.PREFIX, one.product_id), public(Product.PREFIX, one.substitute_id)] for one in told(lines)]
    return {"substitutes": pairs} if pairs else {}


def note_placed(order: StoreOrder, lines: Sequence[PricedLine], *, at: datetime) -> None:
    """The log of what she chose; nothing where she chose no substitute. Runs inside the caller's transaction."""
    if chosen := told(lines):
        _note(order, Substitution.Source.STORE_ORDER, order.id, chosen, at=at)


def note_redeemed(order: StoreOrder, *, at: datetime) -> None:
    """
    The same for each use that pays for a substitute, so that its settlement line names both.

    Runs inside the caller's transaction, after the uses were redeemed; one statement where there is no substitute.
    """
    lines = {
        str(line.position): Instead(line.instead_of_id, line.instead_of_name, line.product_id, line.name)
        for line in order.lines.filter(instead_of__isnull=False)
        if line.instead_of_id is not None
    }
    if not lines:
        return
    redeemed = Redemption.objects.filter(request_id=order.redemption_request_id)
    ids = {(voucher_id, serial): pk for pk, voucher_id, serial in redeemed.values_list("id", "voucher_id", "serial")}
    for applied in order.applied.all():
        if chosen := [lines[position] for position in applied.off_lines if position in lines]:
            source_id = ids[applied.voucher_id, applied.serial]
            _note(order, Substitution.Source.REDEMPTION, source_id, chosen, at=at)


def _note(
    order: StoreOrder, kind: Substitution.Source, source_id: UUID, chosen: Sequence[Instead], *, at: datetime
) -> None:
    by = Caller(kind=CallerKind.CUSTOMER, id=order.customer_id, brand_id=order.brand_id)
    substitutes.note(store_id=order.store_id, source_kind=kind, source_id=source_id, chosen=chosen, by=by, at=at)
