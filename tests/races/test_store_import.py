"""Two imports of one list at once: each store is opened once."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import IntegrityError, connection

from config.kernel.caller import Caller, CallerKind
from stores.models import Brand, Store
from stores.services import brands, store_import
from stores.services.store_import import Reading
from tests import factories
from tests.factories import NOW

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.race]

LIST = ("编码,名称\n" + "".join(f"N{number:04},店{number}\n" for number in range(3_000))).encode()


def twice_at_once(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    staged = threading.Barrier(2)
    add = store_import._Staging.add

    def together(self: store_import._Staging, batch: list[object]) -> None:
        add(self, batch)  # type: ignore[arg-type]
        if len(batch) < store_import.BATCH_ROWS:
            staged.wait(timeout=20)  # both have read the whole list before either looks at the brand

    monkeypatch.setattr(store_import._Staging, "add", together)

    def take() -> str:
        try:
            by = Caller(kind=CallerKind.OPERATOR, id=None)
            report = store_import.import_stores(
                brand_id=brand.id, source=io.BytesIO(LIST), reading=Reading(), by=by, at=NOW
            )
        except IntegrityError:
            return "broken"
        finally:
            connection.close()
        return f"{report.created} new, {report.unchanged} unchanged"

    with ThreadPoolExecutor(2) as threads:
        return sorted(threads.map(lambda _: take(), range(2)))


def test_the_second_finds_what_the_first_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    brand = factories.brand()

    assert twice_at_once(brand, monkeypatch) == ["0 new, 3000 unchanged", "3000 new, 0 unchanged"]
    assert Store.objects.count() == 3_000


def test_without_the_lock_on_the_brand_one_of_them_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control; that nothing is opened twice even so is the unique code's merit."""
    monkeypatch.setattr(brands, "lock", lambda brand_id: Brand.objects.get(id=brand_id))
    brand = factories.brand()

    assert twice_at_once(brand, monkeypatch) == ["3000 new, 0 unchanged", "broken"]
    assert Store.objects.count() == 3_000
