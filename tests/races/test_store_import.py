"""Two imports of one list at once: each store is opened, each product made once."""

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError
from django.db.models import Model

from config.kernel import audit
from config.kernel.caller import Caller, CallerKind
from stores.models import Brand, Product, Store
from stores.services import brands, menu_import, store_import
from stores.services.store_import import Reading
from tests import factories
from tests.factories import NOW
from tests.races.at_once import Meeting, at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

BY = Caller(kind=CallerKind.OPERATOR, id=None)
ROWS = 30
STORES = ("编码,名称\n" + "".join(f"N{number:04},店{number}\n" for number in range(ROWS))).encode()
MENU = ("编码,名称,价格\n" + "".join(f"N{number:04},茶{number},19\n" for number in range(ROWS))).encode()

Import = Callable[[Brand], Any]


def stores_of(brand: Brand) -> Any:
    return store_import.import_stores(brand_id=brand.id, source=io.BytesIO(STORES), reading=Reading(), by=BY, at=NOW)


def menu_of(brand: Brand) -> Any:
    return menu_import.import_menu(brand_id=brand.id, source=io.BytesIO(MENU), mapping={}, by=BY, at=NOW)


def twice_at_once(brand: Brand, take_over: Import, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    record, written = audit.record, Meeting()

    def together(**entry: Any) -> None:
        record(**entry)
        written.come()  # nobody commits before the other has written too or waits for the one who has

    monkeypatch.setattr(audit, "record", together)

    def take() -> str:
        report = take_over(brand)
        return f"{report.created} new, {report.unchanged} unchanged"

    answers = at_once(take, take)
    return sorted("broken" if isinstance(answer, IntegrityError) else str(answer) for answer in answers)


@pytest.mark.parametrize(("take_over", "rows"), [(stores_of, Store), (menu_of, Product)])
def test_the_second_finds_what_the_first_made(
    take_over: Import, rows: type[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    brand = factories.brand()

    assert twice_at_once(brand, take_over, monkeypatch) == ["0 new, 30 unchanged", "30 new, 0 unchanged"]
    assert rows._default_manager.count() == ROWS


@pytest.mark.parametrize(("take_over", "rows"), [(stores_of, Store), (menu_of, Product)])
def test_without_the_lock_on_the_brand_one_of_them_breaks(
    take_over: Import, rows: type[Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control; that nothing is made twice even so is the unique code's merit."""
    monkeypatch.setattr(brands, "lock", lambda brand_id: Brand.objects.get(id=brand_id))
    brand = factories.brand()

    assert twice_at_once(brand, take_over, monkeypatch) == ["30 new, 0 unchanged", "broken"]
    assert rows._default_manager.count() == ROWS
