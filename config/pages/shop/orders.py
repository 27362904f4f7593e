"""Her orders: the pick-up number, how far it is, giving it up while nobody has begun."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.views.decorators.http import require_POST, require_safe

from config.kernel.errors import DomainError
from config.kernel.ids import parse
from config.pages.design.words import Language, say
from config.pages.shop.frame import Visit, for_customers
from config.pages.shop.places import Shown, shown, way_to
from orders.errors import StoreOrderNotFound
from orders.models import AppliedVoucher, Payment, StoreOrder
from orders.services import order_moves
from orders.services.order_moves import CANCELLABLE
from orders.services.order_sweeps import OWN_REASONS
from stores.models import Store
from stores.pick_up import SLOT

Status = StoreOrder.Status
GOING_ON = (Status.CONFIRMED, Status.ACCEPTED, Status.MAKING, Status.READY)
ENDED_BADLY = (Status.CANCELLED, Status.REJECTED, Status.LAPSED, Status.UNCOLLECTED)


@dataclass(frozen=True)
class Step:
    """已下单 · 已接单 · 制作中 · 可以取了: reached at ``at``, or still to come."""

    key: str
    at: datetime | None
    is_now: bool


@require_safe
@for_customers
def orders(visit: Visit) -> HttpResponse:
    mine = StoreOrder.objects.filter(customer_id=visit.customer_id, brand=visit.brand).select_related("store")
    return visit.page("orders.html", {"tab": "me", "orders": list(mine.order_by("-id")[:50])})


@require_safe
@for_customers
def order(visit: Visit, order: str) -> HttpResponse:
    found = _mine(visit, order)
    payment = Payment.objects.filter(store_order=found).order_by("created_at", "id").last()
    is_paying = "paid" in visit.request.GET
    is_waiting = found.status == Status.PLACED and is_paying and visit.at < found.pay_until
    store: Store = found.store
    here: Shown = shown(visit, store)
    used = AppliedVoucher.objects.filter(order=found).values("voucher_id").distinct().count()
    context = {
        "tab": "me",
        "order": found,
        "here": here,
        "lines": sorted(found.lines.all(), key=lambda line: line.position),
        "payment": payment,
        "steps": _steps(found),
        "used": used,
        "is_waiting": is_waiting,
        "is_unpaid": found.status == Status.PLACED and not is_waiting,
        "is_ready": found.status == Status.READY,
        "ended_badly": found.status in ENDED_BADLY,
        "why": _why(found, visit.language),
        "can_cancel": found.status in CANCELLABLE,
        "ready_about": _clock(found, found.expected_at),
        "pick_up": f"{_clock(found, found.pick_up_at)}–{_clock(found, found.pick_up_at + SLOT)}"
        if found.pick_up_at
        else "",
        "way": way_to(store) if found.status in (Status.PLACED, *GOING_ON) else "",
        "goes_on": found.status in (Status.PLACED, *GOING_ON),
        "asks_again": f"{visit.request.path}{'?paid' if is_paying else ''}",
    }
    return visit.page("order.html", context)


def _why(order: StoreOrder, language: Language) -> str:
    """What the store said, or a sentence for what happened by itself."""
    return say(f"order.reason.{order.reason}", language) if order.reason in OWN_REASONS else order.reason


@require_POST
@for_customers
def cancel(visit: Visit, order: str) -> HttpResponse:
    """Give it up: vouchers and money back. A second tap finds it given up."""
    found = _mine(visit, order)
    try:
        order_moves.cancel(order_id=found.id, customer_id=visit.customer_id, at=visit.at)
    except DomainError as refusal:
        visit.tell_refusal(refusal)
    else:
        visit.tell(say("order.cancelled.told", visit.language), "done")
    return visit.go("order", found.public_id)


@require_POST
@for_customers
def collected(visit: Visit, order: str) -> HttpResponse:
    """我取到了. A second tap, or the clerk's own, finds it collected."""
    found = _mine(visit, order)
    try:
        order_moves.collect_herself(order_id=found.id, customer_id=visit.customer_id, at=visit.at)
    except DomainError as refusal:
        visit.tell_refusal(refusal)
    return visit.go("order", found.public_id)


def _mine(visit: Visit, public_id: str) -> StoreOrder:
    """
    Raises:
        StoreOrderNotFound: not there, or not hers.
    """
    mine = StoreOrder.objects.filter(customer_id=visit.customer_id, brand=visit.brand)
    found = (
        mine.select_related("store").prefetch_related("lines").filter(pk=parse(StoreOrder.PREFIX, public_id)).first()
    )
    if found is None:
        raise StoreOrderNotFound
    return found


def _steps(order: StoreOrder) -> Sequence[Step]:
    times = (
        ("step.ordered", order.confirmed_at),
        ("step.accepted", order.accepted_at),
        ("step.making", order.making_at),
        ("step.ready", order.ready_at),
    )
    reached = [key for key, at in times if at is not None]
    return [Step(key, at, bool(reached) and key == reached[-1]) for key, at in times]


def _clock(order: StoreOrder, at: datetime) -> str:
    return at.astimezone(ZoneInfo(order.store.zone)).strftime("%H:%M")
