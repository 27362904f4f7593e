"""A client's own journal against what was stored."""

import json
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.ids import public
from orders.invariants import journal
from orders.invariants.journal import NotAJournal
from orders.models import Purchase
from tests.orders import paid

pytestmark = pytest.mark.django_db
RULE = "acknowledged_purchase_is_there_once_as_answered"


def line(sold: Purchase, **other: Any) -> str:
    said = {
        "customer": public("cus", sold.customer_id),
        "request_id": str(sold.request_id),
        "purchase": sold.public_id,
        "quantity": sold.quantity,
        "total_fen": sold.total_fen,
    }
    return json.dumps({**said, **other}) + "\n"


def test_what_was_acknowledged_is_there() -> None:
    one, other = paid.purchase(quantity=2), paid.purchase()

    result = journal.compare([line(one), line(other), "\n", line(one)])

    assert (result.invariant, result.rows, result.broken) == ("I2", 3, {})
    assert result.figures == {"units": 5, "fen": 4_950}


@pytest.mark.parametrize(
    "other",
    [
        {"request_id": str(uuid4())},
        {"customer": public("cus", uuid4())},
        {"purchase": public("pur", uuid4())},
        {"quantity": 2},
        {"total_fen": 1},
    ],
)
def test_a_key_that_is_not_there_as_answered_is_named(other: dict[str, Any]) -> None:
    purchase = paid.purchase()

    result = journal.compare([line(purchase), line(purchase, **other)])

    assert result.broken == {RULE: 1}
    assert [row["line"] for row in result.first[RULE]] == [2]


def test_one_key_acknowledged_with_two_purchases_is_caught() -> None:
    first, second = paid.purchase(), paid.purchase()

    result = journal.compare(
        [line(first), line(second, customer=public("cus", first.customer_id), request_id=str(first.request_id))]
    )

    assert result.broken == {RULE: 1}


def test_chunks_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "CHUNK", 2)
    purchases = [paid.purchase() for _ in range(5)]

    result = journal.compare([line(purchase, quantity=9) for purchase in purchases])

    assert (result.rows, result.broken) == (5, {RULE: 5})
    assert [row["line"] for row in result.first[RULE]] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("garbage", ["{", "[]", '{"customer": "cus_1"}', '{"customer": 1, "request_id": 2}'])
def test_a_line_that_cannot_be_read_is_named(garbage: str) -> None:
    with pytest.raises(NotAJournal, match="line 2"):
        journal.compare([line(paid.purchase()), garbage])
