"""How fast lists come in: a brand's stores, and its menu."""

import io
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from config.kernel.caller import Caller, CallerKind
from stores.services import menu_import, store_import
from stores.services.store_import import Reading
from tests import factories
from tests.bench.report import Figure
from tests.bench.stand import own_database

ROWS = 50_000
BY = Caller(kind=CallerKind.OPERATOR, id=None)


def import_rows() -> Iterator[Figure]:
    """``import_rows``: the slower of the two, all new; and both again, nothing new."""
    rates: dict[str, float] = {}
    with own_database():
        brand = factories.brand()
        for name, take in (("stores", _stores(brand.id)), ("menu", _menu(brand.id))):
            for round_ in ("new", "known"):
                began = time.perf_counter()
                report = take()
                rates[f"{name}, {round_}"] = report.rows / (time.perf_counter() - began)
                assert (report.created if round_ == "new" else report.unchanged) == ROWS
    told = "; ".join(f"{name}: {rate:,.0f}" for name, rate in rates.items())
    yield Figure("import_rows", round(min(rates.values())), "rows/s", f"{ROWS:,} rows a list, the slowest of: {told}")


def _stores(brand_id: UUID) -> Callable[[], Any]:
    lines = (f"H{n:06},江南大道{n}店,杭州市,滨江区,30.2,120.21,10:00-22:00\n" for n in range(ROWS))
    text = ("编码,门店名称,城市,地址,纬度,经度,营业时间\n" + "".join(lines)).encode()
    given: dict[str, Any] = {"brand_id": brand_id, "reading": Reading(), "by": BY}
    return lambda: store_import.import_stores(source=io.BytesIO(text), at=datetime.now(UTC), **given)


def _menu(brand_id: UUID) -> Callable[[], Any]:
    lines = (f"P{n:06},鲜果茶,青提茉莉{n},Jasmine {n},{15 + n % 20}\n" for n in range(ROWS))
    text = ("编码,分类,品名,英文名,价格\n" + "".join(lines)).encode()
    given: dict[str, Any] = {"brand_id": brand_id, "mapping": {}, "by": BY}
    return lambda: menu_import.import_menu(source=io.BytesIO(text), at=datetime.now(UTC), **given)
