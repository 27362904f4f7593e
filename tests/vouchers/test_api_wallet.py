"""The customer's wallet over HTTP: hers, and nobody else's."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stores.models import Customer
from tests import factories
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_customer, as_staff, error_of, get
from vouchers import qr
from vouchers.models import Voucher
from vouchers.services import expiry

CARD: dict[str, Any] = {"kind": "times_card", "list_price_fen": 600, "use_list_fen": [300, 200, 100]}


@pytest.fixture
def customer(counter: Counter) -> Customer:
    return factories.customer(counter.brand)


def bought(counter: Counter, customer: Customer, **fields: Any) -> Voucher:
    return counter.voucher(fields.pop("terms", None), customer=customer, **{"bought_at": datetime.now(UTC), **fields})


def test_she_sees_her_vouchers_and_no_others(counter: Counter, customer: Customer) -> None:
    hers = [bought(counter, customer) for _ in range(3)]
    bought(counter, factories.customer(counter.brand))

    listed = get("vouchers", as_customer(customer)).json()["items"]

    assert {item["id"] for item in listed} == {voucher.public_id for voucher in hers}
    assert {item["code"] for item in listed} == {voucher.code for voucher in hers}
    assert get("vouchers", as_customer(customer), status="used").json()["items"] == []
    assert error_of(get("vouchers", as_customer(customer), state="used")) == (422, "unknown_parameter")
    assert error_of(get("vouchers", as_staff(counter.clerk))) == (403, "not_allowed")


def test_one_voucher_tells_its_story_and_what_refunding_gives_now(counter: Counter, customer: Customer) -> None:
    terms = counter.terms(**CARD, day_spans=[["09:00", "26:00"]], weekdays=[1, 2, 3, 4, 5, 6, 7])
    card = bought(counter, customer, terms=terms, paid_fen=600)
    counter_terms = counter.terms(**CARD)
    used = bought(counter, customer, terms=counter_terms, paid_fen=600)
    counter.redeem(used.code, at=datetime.now(UTC))

    fresh = get(f"vouchers/{card.public_id}", as_customer(customer)).json()
    partly = get(f"vouchers/{used.public_id}", as_customer(customer)).json()

    assert fresh["refund_now"] == {"amount_fen": 600, "refusal": None}
    assert fresh["day_spans"] == [["09:00", "26:00"]]
    assert (fresh["uses"], fresh["endings"]) == ([], [])
    assert partly["refund_now"] == {"amount_fen": 300, "refusal": None}
    assert [(use["serial"], use["amount_fen"], use["store_name"]) for use in partly["uses"]] == [
        (1, 300, counter.store.name)
    ]


def test_what_cannot_be_given_back_says_why(counter: Counter, customer: Customer) -> None:
    bound = bought(counter, customer, terms=counter.terms(refundable_unused=False))
    over = bought(counter, customer, bought_at=datetime.now(UTC) - timedelta(days=400))
    expiry.expire_due(limit=10, at=datetime.now(UTC))

    heard = [
        get(f"vouchers/{voucher.public_id}", as_customer(customer)).json()["refund_now"] for voucher in (bound, over)
    ]

    assert [(one["amount_fen"], one["refusal"]["code"]) for one in heard] == [
        (0, "voucher_not_refundable"),
        (0, "voucher_expired"),
    ]


@pytest.mark.parametrize("path", ["", "/qr"])
def test_somebody_elses_voucher_is_not_there(counter: Counter, customer: Customer, path: str) -> None:
    theirs = bought(counter, factories.customer(counter.brand))

    assert error_of(get(f"vouchers/{theirs.public_id}{path}", as_customer(customer))) == (404, "voucher_not_found")
    assert error_of(get(f"vouchers/vch_1{path}", as_customer(customer))) == (404, "malformed_id")


def test_its_qr_is_read_back_at_the_counter(counter: Counter, customer: Customer) -> None:
    voucher = bought(counter, customer)

    answer = get(f"vouchers/{voucher.public_id}/qr", as_customer(customer))

    shown = answer.json()
    assert qr.code_of(shown["text"], brand_id=counter.brand.id, at=datetime.now(UTC)) == voucher.code
    assert shown["svg"].startswith("<svg")
    assert 0 < (datetime.fromisoformat(shown["expires_at"]) - datetime.now(UTC)).total_seconds() <= 60
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_used_voucher_has_no_qr(counter: Counter, customer: Customer) -> None:
    voucher = bought(counter, customer)
    counter.redeem(voucher.code, at=datetime.now(UTC))

    answer = get(f"vouchers/{voucher.public_id}/qr", as_customer(customer))

    assert error_of(answer) == (409, "voucher_already_redeemed")
