"""Which counter a page stands at: the store's own, or the one for practising."""

from django.http import HttpRequest

from config.pages.console.counter import StoreCounter
from config.pages.console.desk import Desk
from config.pages.console.practice import PracticeCounter

PRACTICE, USED = "console.practice", "console.practice.used"


def counter_at(request: HttpRequest, desk: Desk) -> StoreCounter | PracticeCounter:
    if not is_practice(request):
        return StoreCounter(desk)
    return PracticeCounter(desk, request.session)


def is_practice(request: HttpRequest) -> bool:
    return bool(request.session.get(PRACTICE))


def use_practice(request: HttpRequest, *, on: bool) -> None:
    request.session[PRACTICE] = on
    request.session.pop(USED, None)
