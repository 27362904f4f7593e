"""The order board: what is to be made, in columns that never move under a finger."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from config.kernel.errors import DomainError
from config.kernel.ids import parse
from config.pages.console.desk import Desk, at_desk
from config.pages.design.words import say
from orders.models import StoreOrder
from orders.queries import board_of_store
from orders.services import labels, order_moves
from stores.permissions import Permission
from stores.services import ordering

NOBODY_ACCEPTS_AFTER = timedelta(seconds=60)
PAUSES = (15, 30, 60)
REASONS = ("out_of_stock", "too_busy", "broken", "closing")
MOVES: dict[str, Callable[..., StoreOrder]] = {
    "accept": order_moves.accept,
    "making": order_moves.begin_making,
    "ready": order_moves.ready,
    "collected": order_moves.collect,
}
COLUMNS = (("new", ("confirmed",)), ("making", ("accepted", "making")), ("ready", ("ready",)))


@never_cache
@require_GET
@at_desk
def board(request: HttpRequest, desk: Desk) -> HttpResponse:
    """The page, or for the script that asks every few seconds the columns alone."""
    return _board(request, desk)


@require_POST
@at_desk
def move(request: HttpRequest, desk: Desk, order: str, act: str) -> HttpResponse:
    """One tap on one ticket; the answer is the board as it is now, with a sentence where it had moved on."""
    here = desk.here(Permission.MAKE_ORDERS)
    try:
        MOVES[act](order_id=parse(StoreOrder.PREFIX, order), store_id=here.store_id, by=desk.person, at=desk.at)
    except DomainError as error:
        return _board(request, desk, error=error)
    return _board(request, desk)


@never_cache
@require_GET
@at_desk
def ask_reject(request: HttpRequest, desk: Desk, order: str) -> HttpResponse:
    """Why not: four reasons, as large as fingers."""
    reasons = [say(f"board.reason.{reason}", desk.language) for reason in REASONS]
    return render(request, "console/reject.html", {"desk": desk, "order": order, "reasons": reasons})


@require_POST
@at_desk
def reject(request: HttpRequest, desk: Desk, order: str) -> HttpResponse:
    here = desk.here(Permission.MAKE_ORDERS)
    reason = request.POST.get("reason", "").strip()[:128] or say("board.reason.too_busy", desk.language)
    try:
        order_moves.reject(
            order_id=parse(StoreOrder.PREFIX, order), store_id=here.store_id, reason=reason, by=desk.person, at=desk.at
        )
    except DomainError as error:
        return _board(request, desk, error=error)
    return _board(request, desk)


@require_POST
@at_desk
def print_labels(request: HttpRequest, desk: Desk, order: str) -> HttpResponse:
    """A sheet of labels for the browser to print; that it was printed, or again, is written down."""
    here = desk.here(Permission.MAKE_ORDERS)
    printed = labels.print_labels(
        order_id=parse(StoreOrder.PREFIX, order), store_id=here.store_id, by=desk.caller, at=desk.at
    )
    lines = list(printed.order.lines.order_by("position"))
    cups = [line for line in lines for _ in range(line.quantity)]
    context = {
        "desk": desk,
        "order": printed.order,
        "is_again": printed.times_before > 0,
        "cups": [{"n": n, "line": line, **_options(line)} for n, line in enumerate(cups, start=1)],
        "count": len(cups),
    }
    return render(request, "console/labels.html", context)


@never_cache
@require_GET
@at_desk
def ask_pause(request: HttpRequest, desk: Desk) -> HttpResponse:
    """For how long no new orders come."""
    return render(request, "console/pause.html", {"desk": desk, "minutes": PAUSES})


@require_POST
@at_desk
def pause(request: HttpRequest, desk: Desk) -> HttpResponse:
    """No new orders for so many minutes, or from now on again; what was ordered stays."""
    here = desk.here(Permission.MAKE_ORDERS)
    minutes = request.POST.get("minutes", "")
    if minutes in {str(one) for one in PAUSES}:
        ordering.pause(store_id=here.store_id, minutes=int(minutes), by=desk.person, at=desk.at)
    else:
        ordering.resume(store_id=here.store_id, by=desk.person, at=desk.at)
    return _board(request, desk)


def _board(request: HttpRequest, desk: Desk, *, error: DomainError | None = None) -> HttpResponse:
    here = desk.here(Permission.MAKE_ORDERS)
    ordering.seen(store_id=here.store_id, at=desk.at)
    until = ordering.rule_of(here.store_id).paused_until
    tickets = [_ticket(order, desk) for order in board_of_store(here.store_id)]
    columns = [
        {
            "name": name,
            "title": f"board.status.{name}",
            "tickets": [one for one in tickets if one["order"].status in states],
        }
        for name, states in COLUMNS
    ]
    context = {
        "desk": desk,
        "columns": columns,
        "error": error,
        "paused_until": until if until is not None and until > desk.at else None,
    }
    return render(request, "console/board.html", context, status=error.status if error else 200)


def _ticket(order: StoreOrder, desk: Desk) -> dict[str, Any]:
    lines = sorted(order.lines.all(), key=lambda line: line.position)
    assert order.confirmed_at is not None, "what is on the board was confirmed"
    may_make_at = order.confirmed_at + order_moves.MAY_CANCEL
    is_new = order.status == StoreOrder.Status.CONFIRMED
    return {
        "order": order,
        "lines": [{"line": line, **_options(line)} for line in lines],
        "cups": sum(line.quantity for line in lines),
        "is_late": is_new and desk.at >= order.confirmed_at + NOBODY_ACCEPTS_AFTER,
        "since": order.confirmed_at,
        "waits_until": may_make_at if order.status == StoreOrder.Status.ACCEPTED and may_make_at > desk.at else None,
    }


def _options(line: Any) -> dict[str, list[str]]:
    """What was chosen, and apart from it what was paid for on top."""
    plain = [one["name"] for one in line.options if one.get("price_delta_fen", 0) <= 0]
    return {"plain": plain, "paid": [one["name"] for one in line.options if one.get("price_delta_fen", 0) > 0]}
