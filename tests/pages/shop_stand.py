"""A brand's shop as it is now: the page reads the real clock, so everything here is of today."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction
from django.test import Client

from config.pages.shop import frame
from livestream.models import LiveSession
from orders.models import Payment
from orders.services import issuing as purchase_issuing
from stores.models import Brand, Customer, Product, Store
from stores.services import customer_sessions, customers, theming
from tests import factories
from tests.orders.buying import captured, tell
from tests.vouchers.counters import Counter
from vouchers.models import DealTerms, Offer, Voucher

PHONE = "13812345678"
HANGZHOU = (30.2084, 120.2120)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Shop:
    """One brand with two stores, a menu and a livestream; ``client`` is a browser in which she is signed in."""

    brand: Brand
    store: Store
    far_store: Store
    oolong: Product
    grape: Product
    session: LiveSession
    customer: Customer
    client: Client
    _counter: Counter = field(init=False)

    def __post_init__(self) -> None:
        entity = factories.entity(self.brand)
        self._counter = Counter(self.brand, entity, self.store, factories.user(), 1_000_000)

    def url(self, rest: str = "") -> str:
        return f"/shop/{self.brand.slug}/{rest}"

    def offer(self, title: str = "20 元代金券", *, kind: str = "cash", price_fen: int = 990, **fields: Any) -> Offer:
        terms = self.terms(title, kind=kind, **fields.pop("terms", {}))
        offered = factories.offer(terms, price_fen=price_fen, opens_at=now() - timedelta(hours=1), **fields)
        factories.listing(self.session, offered)
        return offered

    def terms(self, title: str = "20 元代金券", *, kind: str = "cash", **fields: Any) -> DealTerms:
        made = factories.deal(self.brand, kind=kind, name=title)
        return factories.terms(made, published_at=now(), **fields)

    def vouchers(self, terms: DealTerms | None = None, *, count: int = 1, paid_fen: int = 990) -> list[Voucher]:
        return self._counter.vouchers(
            terms or self.terms(), count=count, customer=self.customer, paid_fen=paid_fen, bought_at=now()
        )

    def buy(self, offer: Offer, **form: Any) -> Any:
        """What the card's form sends."""
        return self.client.post(
            self.url(f"live/{self.session.public_id}/buy/"),
            {
                "key": str(uuid4()),
                "offer": offer.public_id,
                "unit_price_fen": offer.price_fen,
                "terms_number": offer.terms.number,
                **form,
            },
        )

    def choose_store(self, store: Store | None = None) -> None:
        self.client.post(self.url("stores/choose/"), {"store": (store or self.store).public_id})

    def pick(self, product: Product | None = None, **form: Any) -> Any:
        return self.client.post(self.url(f"menu/{(product or self.oolong).public_id}/"), form)

    def stand_at(self, place: tuple[float, float] = HANGZHOU) -> None:
        self.client.post(self.url("stores/here/"), {"latitude": place[0], "longitude": place[1]})


def open_shop(**brand: Any) -> Shop:
    made = factories.brand(theme=theming.theme_of(seed="#0C6170", hero=None, sections=theming.SECTIONS), **brand)
    near = factories.store(
        made,
        name="滨江天街店",
        name_en="Binjiang",
        address="江南大道 228 号天街 1 层",
        latitude=30.2100,
        longitude=120.2135,
    )
    far = factories.store(made, name="西湖文化广场店", latitude=30.2790, longitude=120.1630)
    factories.entity(made)
    oolong = factories.product(
        made, name="屿见乌龙奶茶", name_en="Oolong milk tea", categories=["奶茶"], price_fen=1_600
    )
    grape = factories.product(made, name="海盐芝士青提", categories=["芝士"], price_fen=2_100, position=1)
    session = factories.live_session(
        made,
        title="初雪上岛，一杯先暖手",
        starts_at=now() - timedelta(hours=1),
        opened_at=now(),
        ends_at=now() + timedelta(hours=2),
    )
    client = Client()
    customer = sign_in(client, made)
    return Shop(made, near, far, oolong, grape, session, customer, client)


def sign_in(client: Client, brand: Brand, phone: str = PHONE) -> Customer:
    """A browser in which she is signed in already."""
    with transaction.atomic():
        customer = customers.of_number(brand_id=brand.id, number=f"+86{phone}", at=now())
        begun = customer_sessions.begin(customer=customer, at=now())
    client.cookies[frame.COOKIE] = begun.key
    return customer


def take_the_money(payment_id: UUID) -> None:
    """The provider's word, applied; and the vouchers of what was paid, issued."""
    payment = Payment.objects.get(pk=payment_id)
    tell(captured(payment, occurred_at=now()), at=now())
    purchase_issuing.issue_paid(limit=100, at=now())
