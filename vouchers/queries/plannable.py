"""A customer's vouchers as the best-plan solver reads them, by the same verdict as counter and wallet."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from config.kernel.ids import parse, public
from stores.models import Option, Product
from stores.queries import Chosen, MenuGroup, StoreNow
from vouchers import errors
from vouchers.models import Deal, DealTerms, Voucher
from vouchers.plan import model as plan
from vouchers.queries.facts import Story
from vouchers.queries.frozen_terms import terms
from vouchers.verdict import ProductScope, Terms, refusal_of, valid_until_of

MOST_READ = 500
"""Of a larger wallet; each is a row and a verdict, and a quote should not wait for thousands."""
MOST_PLANNED = 200
"""Those that one plan weighs against each other, which is where its time goes."""
NO_LIMIT = 2**53

COLUMNS = (
    *("id", "brand_id", "customer_id", "terms_id", "source_kind", "code", "uses_total", "uses_left", "uses_held"),
    *("use_amounts_fen", "paid_fen", "valid_from", "valid_until", "status", "extensions"),
)
SHOWN = ", ".join(f"v.{name}" for name in COLUMNS) + ", gone.serials, gone.refunding_at, gone.any_expired"
GONE = """
    LEFT JOIN LATERAL (
        SELECT array_agg(serial) AS serials, max(refunding_at) AS refunding_at, bool_or(is_expired) AS any_expired
        FROM (
            SELECT serial, NULL::timestamptz AS refunding_at, false AS is_expired FROM vouchers_redemption
            WHERE voucher_id = v.id AND reversed_at IS NULL
            UNION ALL SELECT serial, refunding_at, refunding_at IS NULL FROM vouchers_useending WHERE voucher_id = v.id
            UNION ALL SELECT serial, NULL, false FROM vouchers_hold WHERE voucher_id = v.id AND ended_at IS NULL
        ) of_voucher
    ) gone ON true
"""
REVISED = "LEFT JOIN vouchers_termsrevision revised ON revised.terms_id = v.terms_id"
HERS = "v.customer_id = %(customer_id)s AND v.brand_id = %(brand_id)s AND v.issuer = 'own'"
NAMED = f"""
    SELECT {SHOWN}, coalesce(revised.number, 0) FROM vouchers_voucher v {REVISED} {GONE}
    WHERE {HERS} AND v.id = ANY(%(ids)s) ORDER BY v.valid_until, v.id
"""  # noqa: S608 - constants
# Of a wallet that is too large: those she names, then what may be usable as far as a row says, then each deal's
# earliest before any deal's next, so that no deal hides another. Terms that moved may have made it last longer.
OPEN = f"""
    WITH mine AS (
        SELECT v.*, coalesce(revised.number, 0) AS revision, v.id = ANY(%(ids)s) AS is_named,
            v.uses_held = 0 AND v.valid_from <= %(at)s
                AND (v.valid_until > %(at)s OR revised.number IS NOT NULL) AS may_be_usable
        FROM vouchers_voucher v {REVISED} WHERE {HERS} AND v.status IN ('issued', 'held')
    ), first AS (
        SELECT *, row_number() OVER (PARTITION BY terms_id, may_be_usable ORDER BY valid_until, id) AS turn,
            count(*) FILTER (WHERE may_be_usable) OVER () AS usable
        FROM mine ORDER BY is_named DESC, may_be_usable DESC, turn, valid_until, id LIMIT %(most)s
    )
    SELECT {SHOWN}, revision, may_be_usable, usable FROM first v {GONE}
    ORDER BY is_named DESC, may_be_usable DESC, turn, valid_until, id
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Owned:
    """A voucher of hers with its terms, the serials of its free uses, and what became of the others."""

    voucher: Voucher
    terms: Terms
    free: tuple[int, ...]
    story: Story


class Wallet(dict[UUID, Owned]):
    """Open vouchers, the most useful first; of those that may be usable so many (``not_read``) are not among them."""

    not_read: int = 0


def wallet_of(customer_id: UUID, brand_id: UUID, *, ids: Collection[UUID]) -> dict[UUID, Owned]:
    """Those of ``ids`` that are hers, whatever their state; one statement."""
    rows = _rows(NAMED, {"customer_id": customer_id, "brand_id": brand_id, "ids": list(ids)})
    return _owned(rows)


def open_wallet(customer_id: UUID, brand_id: UUID, *, named: Collection[UUID] = (), at: datetime) -> Wallet:
    """Her open vouchers of the brand, ``MOST_READ`` of a larger wallet and ``named`` always in; one statement."""
    asked = {"customer_id": customer_id, "brand_id": brand_id, "ids": list(named), "at": at}
    rows = _rows(OPEN, {**asked, "most": MOST_READ + len(named)})
    wallet = Wallet(_owned([row[:-2] for row in rows]))
    wallet.not_read = rows[0][-1] - sum(row[-2] for row in rows) if rows else 0
    return wallet


def _rows(statement: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, asked)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def _owned(rows: Sequence[tuple[Any, ...]]) -> dict[UUID, Owned]:
    """Of vouchers' columns, what became of their uses, and how often the terms have moved."""
    vouchers = [Voucher.from_db("default", COLUMNS, row[: len(COLUMNS)]) for row in rows]
    known = terms(
        {voucher.terms_id for voucher in vouchers},
        revisions={voucher.terms_id: row[-1] for voucher, row in zip(vouchers, rows, strict=True) if row[-1]},
    )
    owned = {}
    for voucher, (*_, gone, refunding_at, any_expired, _revision) in zip(vouchers, rows, strict=True):
        story = Story(gone=set(gone or ()), refunding_at=refunding_at, any_expired=bool(any_expired))
        free = tuple(serial for serial in range(1, voucher.uses_total + 1) if serial not in story.gone)
        owned[voucher.id] = Owned(voucher, known[voucher.terms_id], free, story)
    return owned


def foremost(vouchers: Sequence[plan.Voucher], *, named: Collection[str]) -> tuple[list[plan.Voucher], int]:
    """
    As many as one plan weighs, and how many usable ones are not among them: ``named`` ones, then those that are
    usable here and now, then those that only have a reason to be told.
    """
    by_use = sorted(vouchers, key=lambda one: (one.id not in named, one.refusal is not None))
    most = max(MOST_PLANNED, len(named))
    return by_use[:most], sum(one.refusal is None for one in by_use[most:])


def plan_vouchers(
    owned: Iterable[Owned],
    *,
    cart: Sequence[Chosen],
    list_fen: Mapping[UUID, int],
    store: StoreNow,
    only: Mapping[UUID, Collection[int]] | None = None,
    at: datetime,
) -> list[plan.Voucher]:
    """
    The solver's vouchers for this cart at this store, each with the verdict's refusal where there is one.

    ``list_fen`` is the brand's price of each product, up to which a voucher pays at a dearer store where its terms
    say so. With ``only`` a voucher has just these uses. What a bill must reach is the solver's to see.
    """
    planned: dict[UUID, plan.Terms] = {}
    vouchers = []
    for one in owned:
        if one.terms.id not in planned:
            planned[one.terms.id] = _terms(one.terms, cart, list_fen, store)
        serials = one.free if only is None else tuple(s for s in one.free if s in only.get(one.voucher.id, ()))
        vouchers.append(_voucher(one, planned[one.terms.id], serials, store, at=at))
    return vouchers


def _voucher(one: Owned, planned: plan.Terms, serials: Sequence[int], store: StoreNow, *, at: datetime) -> plan.Voucher:
    voucher = one.voucher
    why = refusal_of(voucher, one.terms, store=store, bill_fen=NO_LIMIT, at=at)
    if why is None and not serials:
        why = errors.VoucherAlreadyRedeemed
    gives_back = one.terms.refundable_unused and voucher.source_kind == Voucher.Source.PURCHASE
    return plan.Voucher(
        id=public(Voucher.PREFIX, voucher.id),
        terms=planned,
        uses=tuple(plan.Use(serial, voucher.use_amounts_fen[serial - 1] if gives_back else 0) for serial in serials),
        expires_at=valid_until_of(voucher, one.terms),
        is_prepaid=voucher.paid_fen > 0,
        refusal=plan.Refusal(why.code) if why else None,
    )


def _terms(of: Terms, cart: Sequence[Chosen], list_fen: Mapping[UUID, int], store: StoreNow) -> plan.Terms:
    pays_difference = store.is_dearer and of.dearer_stores == DealTerms.DearerStores.PAY_DIFFERENCE
    up_to = list_fen if pays_difference else {}
    return plan.Terms(
        id=str(of.id),
        deal=str(of.deal_id),
        kind=plan.Kind(of.kind),
        face_fen=of.face_value_fen or 0,
        rate_bps=of.discount_rate_bps or 0,
        cap_fen=of.discount_cap_fen,
        min_spend_fen=of.min_spend_fen,
        scope=_scope(of.product_scope, cart),
        choices=_choices(of, cart, up_to),
        stacking_group=of.stacking_group,
        max_per_order=of.max_per_order,
    )


def _scope(scope: ProductScope, cart: Sequence[Chosen]) -> plan.Scope:
    """A product has several categories, so the rule is resolved to the cart's products here."""
    if scope.everything and not scope.except_products:
        return plan.Scope()
    taken = [one.priced_as for one in cart if _is_in(scope, one)]
    return plan.Scope(everything=False, products=frozenset(product.public_id for product in taken))


def _is_in(scope: ProductScope, one: Chosen) -> bool:
    product = one.priced_as
    if product.product_id in scope.except_products:
        return False
    return (
        scope.everything or product.product_id in scope.products or not scope.categories.isdisjoint(product.categories)
    )


def _choices(of: Terms, cart: Sequence[Chosen], up_to: Mapping[UUID, int]) -> tuple[plan.Choice, ...]:
    if of.kind == Deal.Kind.TIMES_CARD:
        products = {one.priced_as.product_id for one in cart if _is_in(of.product_scope, one)}
        items = tuple(_item(of, product_id, 1, frozenset(), up_to) for product_id in sorted(products))
        return (plan.Choice(1, items),) if items else (plan.Choice(1, (plan.Item(_one_of(())),)),)
    return tuple(
        plan.Choice(
            group["choose"],
            tuple(
                _item(
                    of,
                    parse(Product.PREFIX, item["product"]),
                    item.get("count", 1),
                    frozenset(option for named in item.get("options", {}).values() for option in named),
                    up_to,
                )
                for item in group["items"]
            ),
        )
        for group in of.package_groups
    )


def _item(of: Terms, product_id: UUID, count: int, options: frozenset[str], up_to: Mapping[UUID, int]) -> plan.Item:
    scope = _one_of((product_id, *of.substitutes.get(product_id, ())))
    return plan.Item(scope, count, options, up_to.get(product_id))


def _one_of(product_ids: Iterable[UUID]) -> plan.Scope:
    return plan.Scope(everything=False, products=frozenset(public(Product.PREFIX, one) for one in product_ids))


def package_choices(of: Terms) -> list[tuple[int, list[tuple[UUID, frozenset[UUID], int]]]]:
    """Each of a package's groups: how many of its items are chosen; product, options it includes, how many of it."""
    return [
        (
            group["choose"],
            [
                (
                    parse(Product.PREFIX, item["product"]),
                    frozenset(parse(Option.PREFIX, one) for named in item.get("options", {}).values() for one in named),
                    item.get("count", 1),
                )
                for item in group["items"]
            ],
        )
        for group in of.package_groups
    ]


def certain_products(of: Terms) -> Mapping[UUID, int]:
    """What one use hands over, as far as nobody chooses: product and how many."""
    if of.kind == Deal.Kind.TIMES_CARD:
        scope = of.product_scope
        named = scope.products - scope.except_products
        return dict.fromkeys(named, 1) if len(named) == 1 and not (scope.everything or scope.categories) else {}
    if of.kind != Deal.Kind.PACKAGE:
        return {}
    counts: Counter[UUID] = Counter()
    for group in of.package_groups:
        if group["choose"] == len(group["items"]):
            for item in group["items"]:
                counts[parse(Product.PREFIX, item["product"])] += item.get("count", 1)
    return counts


def asked_of(group: MenuGroup, chosen: Chosen) -> plan.Asked:
    """One of the product's questions with what was chosen, at this store's prices."""
    return plan.Asked(
        fen={option.public_id: option.price_delta_fen for option in group.options},
        chosen=frozenset(option.public_id for option in chosen.options if option in group.options),
        usual=frozenset(option.public_id for option in group.options if option.is_default),
        takes_one=group.choose_most == 1,
    )


def plan_lines(cart: Sequence[tuple[Chosen, int]]) -> list[plan.Line]:
    """The solver's lines: a line's id is its place in the cart."""
    return [
        plan.Line(
            id=str(place),
            product=chosen.priced_as.public_id,
            category=chosen.priced_as.categories[0] if chosen.priced_as.categories else "",
            unit_fen=chosen.unit_fen,
            quantity=quantity,
            asked=tuple(asked_of(group, chosen) for group in chosen.product.groups),
        )
        for place, (chosen, quantity) in enumerate(cart)
    ]
