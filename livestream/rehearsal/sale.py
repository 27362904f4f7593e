"""What the rehearsal sells: four offers in one livestream, enough that the hot one sells out and the rest do not."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from livestream.models import LiveSession
from livestream.rehearsal.chain import INSTALLER
from livestream.services import commission_plans, listings, promoters, sessions
from orders.models import CashRule
from orders.services import cash_rules
from stores.models import Brand, SettlementEntity, StoreEntity
from stores.services import groups
from vouchers.models import Deal, DealTerms
from vouchers.services import deals, offers

PROMOTER_CODE = "aqing"
FRANCHISED = "franchised"
ROYALTY_BPS = 1_000
"""What the brand takes of a franchisee's vouchers, and of what is paid on top at her stores."""


@dataclass(frozen=True)
class Article:
    """
    A deal as it is listed; ``share`` of the crowd's orders is its allotment. ``children`` are a bundle's:
    so many each of articles that come before it.
    """

    out_id: str
    kind: Deal.Kind
    title: str
    price_fen: int
    share: float
    terms: deals.NewTerms
    children: tuple[tuple[str, int], ...] = ()


ARTICLES = (
    Article(
        "cash-20-hot",
        Deal.Kind.CASH,
        "20 元代金券（首播价）",
        990,
        0.3,
        deals.NewTerms(title="20 元代金券（首播价）", face_value_fen=2_000, list_price_fen=2_000, usable_days=30),
    ),
    Article(
        "cash-50",
        Deal.Kind.CASH,
        "50 元代金券",
        3_990,
        1.5,
        deals.NewTerms(
            title="50 元代金券", face_value_fen=5_000, list_price_fen=5_000, usable_days=60, refund_returns_stock=True
        ),
    ),
    Article(
        "card-3",
        Deal.Kind.TIMES_CARD,
        "鲜果茶三次卡",
        3_900,
        1.5,
        deals.NewTerms(title="鲜果茶三次卡", list_price_fen=5_400, use_list_fen=[1_900, 1_800, 1_700], usable_days=90),
    ),
    Article(
        "bundle-summer",
        Deal.Kind.BUNDLE,
        "夏日券包",
        7_900,
        1.5,
        deals.NewTerms(title="夏日券包", list_price_fen=10_400, usable_days=90),
        children=(("cash-50", 1), ("card-3", 1)),
    ),
)


def open_sale(*, brand_id: UUID, orders: int, at: datetime) -> LiveSession:
    """A livestream with its offers on sale, a promoter and the rates that each sale will freeze."""
    rules = _settlement(brand_id, at=at)
    promoter = promoters.create(brand_id=brand_id, code=PROMOTER_CODE, name="阿青", by=INSTALLER, at=at).row
    session = sessions.create(brand_id=brand_id, title="青屿茶 首场直播", request_id=uuid4(), by=INSTALLER, at=at).row
    commission_plans.create(
        brand_id=brand_id,
        promoter_id=promoter.id,
        promoter_rate_bps=500,
        provider_rate_bps=200,
        request_id=uuid4(),
        by=INSTALLER,
        at=at,
    )
    published: dict[str, DealTerms] = {}
    for article in ARTICLES:
        allotment = max(10, int(orders * article.share))
        deal = deals.create(
            brand_id=brand_id,
            out_id=article.out_id,
            kind=article.kind,
            name=article.title,
            total=allotment,
            by=INSTALLER,
            at=at,
        ).row
        children = [{"terms": published[child].public_id, "count": count} for child, count in article.children]
        new = replace(article.terms, bundle_children=children, settlement_rules=[] if children else rules)
        terms = published[article.out_id] = deals.publish_terms(deal=deal, new=new, by=INSTALLER, at=at).row
        offer = offers.create(
            terms=terms,
            price_fen=article.price_fen,
            allotment=allotment,
            per_customer_limit=5,
            opens_at=at,
            request_id=uuid4(),
            by=INSTALLER,
            at=at,
        ).row
        listings.list_offer(session=session, offer_id=offer.id, by=INSTALLER, at=at)
        offers.open_offer(offer=offer, by=INSTALLER, at=at)
    return sessions.open_session(session=session, by=INSTALLER, at=at)


def _settlement(brand_id: UUID, *, at: datetime) -> list[dict[str, Any]]:
    """
    Franchisees pay a royalty and the brand pays their promoter; the brand's own stores keep what the promoter leaves.
    """
    brand = Brand.objects.get(pk=brand_id)
    tomorrow = at.astimezone(ZoneInfo(brand.zone)).date() + timedelta(days=1)
    theirs = StoreEntity.objects.filter(store__brand_id=brand_id, entity__kind=SettlementEntity.Kind.FRANCHISEE)
    group = groups.add(brand_id=brand_id, code=FRANCHISED, name="加盟店", by=INSTALLER, at=at).row
    groups.change_members(
        brand_id=brand_id,
        group_id=group.id,
        joining=set(theirs.values_list("store_id", flat=True)),
        leaving=(),
        by=INSTALLER,
        at=at,
    )
    for entity_id in theirs.values_list("entity_id", flat=True).distinct():
        cash_rules.set_rule(
            brand_id=brand_id,
            entity_id=entity_id,
            kind=CashRule.Kind.STORE_ORDER,
            from_date=tomorrow,
            fee_bps=ROYALTY_BPS,
            by=INSTALLER,
            at=at,
        )
    return [
        {
            "stores": {"groups": [group.public_id]},
            "fee_bps": ROYALTY_BPS,
            "promoter_by": "brand",
            "provider_by": "brand",
        }
    ]
