"""Sold out and back again, by product and by option."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from config.kernel.ids import parse
from config.pages.console.desk import Desk, at_desk
from stores.models import Option, Product, Store
from stores.permissions import Permission
from stores.queries import menu_of
from stores.services import store_menu


@never_cache
@require_GET
@at_desk
def menu(request: HttpRequest, desk: Desk) -> HttpResponse:
    """Everything on this store's menu with its switch."""
    return _menu(request, desk)


@require_POST
@at_desk
def switch(request: HttpRequest, desk: Desk, kind: str, id: str) -> HttpResponse:
    """One switch; the same twice changes nothing."""
    here = desk.here(Permission.MARK_SOLD_OUT)
    is_there = request.POST.get("there") == "1"
    told: dict[str, Any] = {"store_id": here.store_id, "by": desk.person, "at": desk.at}
    if kind == "product":
        act = store_menu.product_is_back if is_there else store_menu.sell_out_product
        act(product_id=parse(Product.PREFIX, id), **told)
    else:
        choose = store_menu.option_is_back if is_there else store_menu.sell_out_option
        choose(option_id=parse(Option.PREFIX, id), **told)
    return _menu(request, desk)


def _menu(request: HttpRequest, desk: Desk) -> HttpResponse:
    here = desk.here(Permission.MARK_SOLD_OUT)
    found = menu_of(Store.objects.get(id=here.store_id), at=desk.at)
    groups = {group.group_id: group for product in found.products for group in product.groups}
    sold_out = sum(product.is_sold_out for product in found.products)
    sold_out += sum(option.is_sold_out for group in groups.values() for option in group.options)
    context = {"desk": desk, "menu": found, "groups": list(groups.values()), "sold_out": sold_out}
    return render(request, "console/menu.html", context)
