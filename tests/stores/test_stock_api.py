"""A store's stock over HTTP: acts, lists, and whatever else comes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from stores.models import Product, StockAct, StockLevel, StockMode, StockMovement, Store
from stores.services import stock_keeping
from stores.services.stock_keeping import StockRule
from tests import factories
from tests.stores import stocked
from tests.vouchers.http import as_staff, error_of, get, post

pytestmark = pytest.mark.django_db


@pytest.fixture
def store() -> Store:
    return factories.store(factories.brand())


@pytest.fixture
def tea(store: Store) -> Product:
    return stocked.keep(store, "counted", units=10)


@pytest.fixture
def manager(store: Store) -> dict[str, str]:
    return as_staff(factories.staff(store.brand, role="store_manager", store=store).user)


def lines(product: Product, quantity: Any) -> dict[str, Any]:
    return {"lines": [{"product": product.public_id, "quantity": quantity}]}


def test_an_act_is_done_repeated_listed_and_undone(store: Store, tea: Product, manager: dict[str, str]) -> None:
    at, key = f"stores/{store.public_id}/stock", uuid4()

    came = post(f"{at}/receipts", manager, lines(tea, 5), key=key)
    again = post(f"{at}/receipts", manager, lines(tea, 5), key=key)
    other = post(f"{at}/receipts", manager, lines(tea, 6), key=key)
    undone = post(f"{at}/acts/{came.json()['id']}/undo", manager)

    assert (came.status_code, again.status_code, came.json()) == (201, 200, again.json())
    assert error_of(other) == (409, "idempotency_conflict")
    assert came.json()["moved"] == [{"product": tea.public_id, "quantity": 5}]
    assert (undone.status_code, undone.json()["undoes"]) == (201, came.json()["id"])
    listed = get(f"{at}/acts", manager, limit=2).json()
    assert [(act["kind"], act["is_undone"]) for act in listed["items"]] == [("undo", False), ("receipt", True)]
    assert [act["kind"] for act in get(f"{at}/acts", manager, cursor=listed["next"]).json()["items"]] == ["stock_take"]


def test_a_transfer_is_sent_and_received_by_two_stores_people(
    store: Store, tea: Product, manager: dict[str, str]
) -> None:
    other = factories.store(store.brand)
    stocked.keep(other, "counted", product=tea, units=0)
    clerk = as_staff(factories.staff(store.brand, store=other).user)

    sent = post(f"stores/{store.public_id}/stock/transfers", manager, {**lines(tea, 4), "to": other.public_id}).json()
    arrived = post(f"stores/{other.public_id}/stock/transfers/{sent['transfer']}/receipt", clerk, lines(tea, 3))

    assert (arrived.status_code, arrived.json()["kind"]) == (201, "received")
    [shown] = get(f"stores/{other.public_id}/stock/transfers", clerk).json()["items"]
    assert (shown["state"], shown["sent"][0]["quantity"], shown["received"][0]["quantity"]) == ("received", 4, 3)


def test_a_clerk_counts_nothing(store: Store, tea: Product) -> None:
    clerk = as_staff(factories.staff(store.brand, store=store).user)

    assert post(f"stores/{store.public_id}/stock/counts", clerk, lines(tea, 4)).status_code == 403
    assert post(f"stores/{store.public_id}/stock/receipts", clerk, lines(tea, 4)).status_code == 201


def test_what_is_running_out_is_listed_worst_first(store: Store, tea: Product, manager: dict[str, str]) -> None:
    low, plenty = (factories.product(store.brand) for _ in range(2))
    for product, threshold in ((low, 3), (plenty, 2)):
        rule = StockRule(StockMode.COUNTED, on_hand=3, low_at=threshold)
        stock_keeping.keep(
            store_id=store.id, product_id=product.id, rule=rule, by=stocked.MANAGER, at=datetime.now(UTC)
        )
    StockLevel.objects.filter(product=tea).update(reserved=12)

    found = get(f"stores/{store.public_id}/stock", manager, running_out="true").json()["items"]

    assert [(one["product"], one["free"], one["is_short"]) for one in found] == [
        (tea.public_id, -2, True),
        (low.public_id, 3, False),
    ]
    assert len(get(f"stores/{store.public_id}/stock", manager).json()["items"]) == 3


def test_movements_are_paged(store: Store, tea: Product, manager: dict[str, str]) -> None:
    milk = stocked.keep(store, "counted", units=4)
    post(f"stores/{store.public_id}/stock/waste", manager, {**lines(tea, 1), "reason": "打翻"})
    at = f"stores/{store.public_id}/stock/movements"

    assert pages(at, manager) == [("waste", -1), ("stock_take", 4), ("stock_take", 10)]
    assert pages(at, manager, product=milk.public_id) == [("stock_take", 4)]


def pages(at: str, who: dict[str, str], **query: Any) -> list[tuple[str, int]]:
    def each() -> Iterator[Any]:
        cursor = {}
        while True:
            page = get(at, who, limit=1, **query, **cursor).json()
            yield from page["items"]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}

    return [(one["kind"], one["quantity"]) for one in each()]


@pytest.mark.parametrize("quantity", [-1, 0, 2**63, 2**31 * 10**6, 1.5, "3", None, True])
def test_an_odd_quantity_changes_nothing(store: Store, tea: Product, manager: dict[str, str], quantity: Any) -> None:
    answer = post(f"stores/{store.public_id}/stock/receipts", manager, lines(tea, quantity))

    assert answer.status_code in (400, 422), answer.content
    assert not StockAct.objects.filter(kind="receipt").exists()


def test_odd_lines_change_nothing(store: Store, tea: Product, manager: dict[str, str]) -> None:
    at = f"stores/{store.public_id}/stock"
    foreign, switch = factories.product(factories.brand()), factories.product(store.brand)
    abroad = factories.store(foreign.brand)
    elsewhere = stocked.keep(abroad, "counted", product=foreign)
    line = lines(tea, 1)["lines"][0]
    before = StockMovement.objects.count()

    wrong = {
        "foreign": post(f"{at}/receipts", manager, lines(elsewhere, 1)),
        "switch": post(f"{at}/receipts", manager, lines(switch, 1)),
        "none": post(f"{at}/receipts", manager, {"lines": []}),
        "twice": post(f"{at}/receipts", manager, {"lines": [line, line]}),
        "unknown": post(f"{at}/receipts", manager, {"lines": [{**line, "product": "prd_" + "0" * 32}]}),
        "malformed": post(f"{at}/receipts", manager, {"lines": [{**line, "product": "prd_x"}]}),
        "reasonless": post(f"{at}/waste", manager, {"lines": [line]}),
        "too much": post(f"{at}/waste", manager, {**lines(tea, 11), "reason": "打翻"}),
        "no act": post(f"{at}/acts/sta_{'0' * 32}/undo", manager),
        "cursor": get(f"{at}/movements", manager, cursor="MTc2Nzc2.zzz"),
        "foreign store": post(
            f"{at}/transfers", manager, {**lines(tea, 1), "to": factories.store(foreign.brand).public_id}
        ),
    }

    assert {name: error_of(answer) for name, answer in wrong.items()} == {
        "foreign": (404, "product_not_found"),
        "switch": (409, "product_not_counted"),
        "none": (422, "stock_lines_invalid"),
        "twice": (422, "stock_lines_invalid"),
        "unknown": (404, "product_not_found"),
        "malformed": (404, "malformed_id"),
        "reasonless": (422, "malformed_request"),
        "too much": (409, "stock_too_low"),
        "no act": (404, "stock_act_not_found"),
        "cursor": (422, "malformed_request"),
        "foreign store": (404, "store_not_found"),
    }
    assert StockMovement.objects.count() == before


def test_another_brands_people_find_no_store(store: Store, tea: Product) -> None:
    stranger = as_staff(factories.staff(factories.brand(), role="owner").user)

    assert post(f"stores/{store.public_id}/stock/receipts", stranger, lines(tea, 1)).status_code == 404
    assert get(f"stores/{store.public_id}/stock", stranger).status_code == 404
