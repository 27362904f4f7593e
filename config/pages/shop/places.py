"""Which store: the nearest first where she says where she is, else by city and name."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import asin, cos, radians, sin, sqrt
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from config.kernel.errors import DomainError
from config.kernel.ids import parse
from config.pages.shop.basket import basket_of, keep, keep_place, place_of
from config.pages.shop.frame import Visit, open_to_all
from orders.services import using
from stores.business_days import closing_time, is_open
from stores.errors import StoreNotFound
from stores.models import Store
from stores.queries import menu_of, nearest_stores
from stores.queries.reads import EARTH_RADIUS_METRES
from vouchers.models import Voucher
from vouchers.queries import terms
from vouchers.queries.accepting import accepting_stores
from vouchers.queries.wallet import showable

MOST_SHOWN = 30
FAR_METRES = 2_000
MAPS = "https://uri.amap.com/marker"


@dataclass(frozen=True)
class Shown:
    """A store in a list or above a cart; ``ready_at`` where there is a cart to be made."""

    store: Store
    distance_metres: int | None
    is_open: bool
    closes_at: datetime | None
    ready_at: datetime | None = None

    @property
    def closes_clock(self) -> str:
        return self._clock(self.closes_at)

    @property
    def ready_clock(self) -> str:
        return self._clock(self.ready_at)

    def _clock(self, at: datetime | None) -> str:
        return at.astimezone(ZoneInfo(self.store.zone)).strftime("%H:%M") if at else ""

    @property
    def is_far(self) -> bool:
        return self.distance_metres is not None and self.distance_metres > FAR_METRES


@require_safe
@open_to_all
def stores(visit: Visit) -> HttpResponse:
    """Stores to pick up at; with ``voucher`` only those that take it."""
    asked = visit.request.GET
    search, voucher = asked.get("q", "").strip()[:64], asked.get("voucher", "")
    found = Store.objects.filter(brand=visit.brand).exclude(status=Store.Status.CLOSED)
    if voucher and visit.customer:
        found = _that_take(visit, voucher)
    if search:
        found = found.filter(Q(name__icontains=search) | Q(address__icontains=search) | Q(city__icontains=search))
    context = {
        "tab": "menu",
        "stores": _near(visit, found),
        "search": search,
        "voucher": voucher,
        "has_place": place_of(visit) is not None,
        "back": visit.url("ticket", voucher) if voucher else visit.url("menu"),
    }
    return visit.page("stores.html", context)


@require_POST
@open_to_all
def choose(visit: Visit) -> HttpResponse:
    """Pick up here: on to its menu, or to the cart where there is one already."""
    form = visit.request.POST
    store = Store.objects.filter(id=parse(Store.PREFIX, form.get("store", "")), brand=visit.brand).first()
    if store is None:
        raise StoreNotFound
    basket = basket_of(visit)
    basket.store_id = store.id
    if (voucher := form.get("voucher", "")) and visit.customer:
        menu = menu_of(store, at=visit.at)
        voucher_id = parse(Voucher.PREFIX, voucher)
        lines = using.cart_for(voucher_id=voucher_id, customer_id=visit.customer.id, menu=menu, at=visit.at)
        basket.lines = []
        for line in lines:
            basket.add(line.product_id, line.option_ids, line.quantity)
    keep(visit, basket)
    return visit.go("cart" if basket.lines else "menu")


@require_POST
@open_to_all
def here(visit: Visit) -> HttpResponse:
    """Where she is, said once for this session."""
    keep_place(visit)
    form = visit.request.POST
    return visit.go("stores", **{name: form[name] for name in ("voucher", "q") if form.get(name)})


def shown(visit: Visit, store: Store) -> Shown:
    place = place_of(visit)
    metres = None
    if place is not None and store.latitude is not None and store.longitude is not None:
        metres = _metres(place, (float(store.latitude), float(store.longitude)))
    return _shown(store, metres, at=visit.at)


def way_to(store: Store) -> str:
    """
    Where a tap on 看路线 leads: the customer's own map app, or its page; empty where the place is not known.

    Nothing is loaded from there, and it hears of nobody before she taps.
    """
    if store.latitude is None or store.longitude is None:
        return ""
    asked = {
        "position": f"{store.longitude},{store.latitude}",
        "name": store.name,
        "coordinate": "wgs84",
        "callnative": "1",
    }
    return f"{MAPS}?{urlencode(asked)}"


def _near(visit: Visit, found: QuerySet[Store]) -> Sequence[Shown]:
    if (place := place_of(visit)) is not None:
        near = nearest_stores(found, latitude=place[0], longitude=place[1], limit=MOST_SHOWN)
        return [_shown(one.store, one.distance_metres, at=visit.at) for one in near]
    return [_shown(store, None, at=visit.at) for store in found.order_by("city", "name", "id")[:MOST_SHOWN]]


def _that_take(visit: Visit, voucher: str) -> QuerySet[Store]:
    """Every open store where the voucher's terms say none, so that a stale link is no error."""
    assert visit.customer is not None
    try:
        hers = showable(visit.customer.id, parse(Voucher.PREFIX, voucher), at=visit.at)
    except DomainError:
        return Store.objects.filter(brand=visit.brand, status=Store.Status.OPEN)
    return accepting_stores(terms([hers.terms_id])[hers.terms_id]).filter(status=Store.Status.OPEN)


def _shown(store: Store, metres: int | None, *, at: datetime) -> Shown:
    opened = store.status == Store.Status.OPEN and is_open(hours=store.hours, zone=store.zone, at=at)
    closes_at = closing_time(hours=store.hours, zone=store.zone, at=at) if opened else None
    return Shown(store, metres, opened, closes_at)


def _metres(one: tuple[float, float], other: tuple[float, float]) -> int:
    """As ``nearest_stores`` measures: the haversine formula on a sphere."""
    (lat_one, lon_one), (lat_other, lon_other) = ((radians(lat), radians(lon)) for lat, lon in (one, other))
    half_chord = sqrt(
        sin((lat_other - lat_one) / 2) ** 2 + cos(lat_one) * cos(lat_other) * sin((lon_other - lon_one) / 2) ** 2
    )
    return round(2 * EARTH_RADIUS_METRES * asin(min(half_chord, 1.0)))


def store_of(visit: Visit, store_id: UUID | None) -> Store | None:
    return Store.objects.filter(id=store_id, brand=visit.brand).first() if store_id else None
