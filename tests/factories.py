"""The plain valid case of every row, overridable by keyword; written straight to the tables."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from config.accounts.models import User
from livestream.models import Listing, LiveSession, Promoter
from stores.models import (
    Brand,
    Customer,
    Option,
    OptionGroup,
    Product,
    ProductOptionGroup,
    SettlementEntity,
    Staff,
    Store,
    StoreEntity,
)
from vouchers.models import Deal, DealStock, DealTerms, Offer

NOW = datetime(2026, 6, 1, 4, 0, tzinfo=UTC)  # noon in Shanghai, a Monday


def brand(**fields: Any) -> Brand:
    slug = fields.pop("slug", f"brand-{uuid4().hex[:12]}")
    return Brand.objects.create(**{"slug": slug, "name": "青屿茶", "created_at": NOW, **fields})


def entity(brand: Brand, **fields: Any) -> SettlementEntity:
    return SettlementEntity.objects.create(
        **{
            "brand": brand,
            "code": uuid4().hex[:8],
            "name": "杭州青屿茶业有限公司",
            "kind": "company",
            "created_at": NOW,
            **fields,
        }
    )


def store(brand: Brand, *, entity: SettlementEntity | None = None, **fields: Any) -> Store:
    made = Store.objects.create(
        **{"brand": brand, "code": uuid4().hex[:8], "name": "江南大道店", "city": "杭州市", "created_at": NOW, **fields}
    )
    if entity is not None:
        StoreEntity.objects.create(store=made, entity=entity, from_date=(NOW - timedelta(days=365)).date())
    return made


def user(**fields: Any) -> User:
    return User.objects.create(**{"username": f"user-{uuid4().hex[:12]}", **fields})


def staff(brand: Brand, *, role: str = "clerk", store: Store | None = None, **fields: Any) -> Staff:
    return Staff.objects.create(
        **{
            "user": fields.pop("user", None) or user(),
            "brand": brand,
            "role": role,
            "store": store,
            "created_at": NOW,
            **fields,
        }
    )


def customer(brand: Brand, **fields: Any) -> Customer:
    return Customer.objects.create(**{"brand": brand, "created_at": NOW, **fields})


def deal(brand: Brand, *, kind: str = "cash", total: int = 1_000_000, **fields: Any) -> Deal:
    made = Deal.objects.create(
        **{"brand": brand, "out_id": uuid4().hex[:12], "kind": kind, "name": "20 元代金券", "created_at": NOW, **fields}
    )
    DealStock.objects.create(deal=made, total=total, free=total)
    return made


def terms(deal: Deal, **fields: Any) -> DealTerms:
    plain: dict[str, Any] = {
        "deal": deal,
        "number": 1 + deal.terms.count(),
        "title": deal.name,
        "list_price_fen": 2_000,
        "use_list_fen": [2_000],
        "face_value_fen": 2_000 if deal.kind == "cash" else None,
        "validity": "days",
        "usable_days": 30,
        "published_at": NOW,
    }
    if deal.kind == "times_card":
        plain |= {"list_price_fen": 4_800, "use_list_fen": [1_600, 1_600, 1_600]}
    return DealTerms.objects.create(**{**plain, **fields})


def bundle(brand: Brand, *children: tuple[DealTerms, int]) -> DealTerms:
    """Terms of a bundle of so many vouchers of each of these terms."""
    list_price_fen = sum(child.list_price_fen * count for child, count in children)
    return terms(
        deal(brand, kind="bundle", name="暑期券包"),
        list_price_fen=list_price_fen,
        use_list_fen=[list_price_fen],
        bundle_children=[
            {"terms": child.public_id, "count": count, "list_price_fen": child.list_price_fen}
            for child, count in children
        ],
    )


def offer(terms: DealTerms, *, allotment: int = 1_000, **fields: Any) -> Offer:
    """An open offer; its allotment is taken out of the deal's free stock."""
    stock = terms.deal.stock
    stock.free -= allotment
    stock.save(update_fields=["free"])
    return Offer.objects.create(
        **{
            "brand": terms.deal.brand,
            "deal": terms.deal,
            "terms": terms,
            "price_fen": 990,
            "allotment": allotment,
            "opens_at": NOW - timedelta(hours=1),
            "state": "open",
            "created_at": NOW,
            **fields,
        }
    )


def live_session(brand: Brand, **fields: Any) -> LiveSession:
    return LiveSession.objects.create(
        **{
            "brand": brand,
            "title": "开播",
            "state": "open",
            "starts_at": NOW,
            "opened_at": NOW,
            "created_at": NOW,
            **fields,
        }
    )


def listing(session: LiveSession, offer: Offer, **fields: Any) -> Listing:
    Offer.objects.filter(pk=offer.pk).update(session_id=session.pk)
    return Listing.objects.create(
        **{"session": session, "offer": offer, "position": session.listings.count(), "created_at": NOW, **fields}
    )


def promoter(brand: Brand, **fields: Any) -> Promoter:
    return Promoter.objects.create(
        **{"brand": brand, "code": uuid4().hex[:8], "name": "阿青", "created_at": NOW, **fields}
    )


def product(brand: Brand, **fields: Any) -> Product:
    return Product.objects.create(
        **{
            "brand": brand,
            "code": uuid4().hex[:8],
            "name": "青提茉莉",
            "categories": ["鲜果茶"],
            "price_fen": 1_900,
            "created_at": NOW,
            **fields,
        }
    )


def material(brand: Brand, **fields: Any) -> Product:
    """Milk, by the millilitre."""
    return product(
        brand, **{"name": "鲜牛奶", "categories": [], "price_fen": 0, "is_sold": False, "unit": "ml", **fields}
    )


def option_group(brand: Brand, *products: Product, options: dict[str, int] | None = None, **fields: Any) -> OptionGroup:
    """A size that must be chosen; ``options`` are names to price deltas, the first being the default."""
    group = OptionGroup.objects.create(
        **{
            "brand": brand,
            "code": uuid4().hex[:8],
            "name": "规格",
            "choose_least": 1,
            "choose_most": 1,
            "created_at": NOW,
            **fields,
        }
    )
    for position, (name, delta_fen) in enumerate((options or {"中杯": 0, "大杯": 500}).items()):
        Option.objects.create(
            group=group,
            code=name,
            name=name,
            price_delta_fen=delta_fen,
            is_default=position == 0 and group.is_required,
            position=position,
            created_at=NOW,
        )
    for asked in products:
        ProductOptionGroup.objects.create(product=asked, group=group, position=asked.product_groups.count())
    return group
