"""What the brand gives to those who come back: a coupon that goes together with what they bought."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from livestream.rehearsal.chain import INSTALLER
from vouchers.models import Deal
from vouchers.services import deals, grants
from vouchers.services.grants import Audience

TITLE = "回店礼 满30享88折"
TERMS = deals.NewTerms(
    title=TITLE,
    list_price_fen=1_000,
    discount_rate_bps=1_200,
    discount_cap_fen=1_000,
    min_spend_fen=3_000,
    usable_days=14,
)


def thank(*, brand_id: UUID, customers: Sequence[UUID], at: datetime) -> None:
    """Grant one to each of ``customers``; the workers issue them."""
    deal = deals.create(
        brand_id=brand_id,
        out_id="come-back",
        kind=Deal.Kind.DISCOUNT,
        name=TITLE,
        total=len(customers),
        by=INSTALLER,
        at=at,
    ).row
    grants.grant(
        terms=deals.publish_terms(deal=deal, new=TERMS, by=INSTALLER, at=at).row,
        audience=Audience(customer_ids=customers),
        per_customer=1,
        reason="they bought in the livestream",
        request_id=uuid4(),
        by=INSTALLER,
        at=at,
    )
