"""Real baskets with real coupons: what becomes a cart, who holds what on which day, and what the report counts."""

import csv
import gzip
import io
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from orders.management.carts import sample
from orders.management.carts.sample import Cart, joined_by_week
from orders.management.carts.wallets import wallets_of
from orders.management.replaying import trace
from tests.factories import NOW
from vouchers.plan.model import Kind, Line, Terms, Use, Voucher
from vouchers.queries.other_ways import OtherWays, other_ways

FILES: dict[str, list[dict[str, str]]] = {
    "campaign_descriptions": [
        {"campaign_id": "1", "campaign_type": "B", "start_date": "2017-03-01", "end_date": "2017-03-31"}
    ],
    "campaigns": [{"campaign_id": "1", "household_id": "h1"}],
    "coupons": [
        {"coupon_upc": "c1", "product_id": "p1", "campaign_id": "1"},
        {"coupon_upc": "c2", "product_id": "p2", "campaign_id": "1"},
    ],
    "coupon_redemptions": [
        {"household_id": "h1", "coupon_upc": "c1", "campaign_id": "1", "redemption_date": "2017-03-05"}
    ],
    "products": [{"product_id": "p1", "product_category": "TEA"}, {"product_id": "p2", "product_category": "CAKE"}],
}


def bought(basket: str, product: str, day: str, *, household: str = "h1", **fields: str) -> dict[str, str]:
    plain = {"quantity": "1", "sales_value": "3.00", "coupon_match_disc": "0.0"}
    where = {"household_id": household, "store_id": "s1", "basket_id": basket, "product_id": product}
    return {**where, **plain, "transaction_timestamp": f"{day} 12:00:00", **fields}


def written(directory: Path, rows: list[dict[str, str]]) -> Path:
    for name, lines in {**FILES, "transactions_sample": rows}.items():
        with gzip.open(directory / f"{name}.csv.gz", "wt", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(lines[0]))
            writer.writeheader()
            writer.writerows(lines)
    return directory


def held(directory: Path, cart: Cart) -> list[str]:
    baskets = sample.read(directory)
    return [one.id for one in wallets_of(trace.read(directory), directory, baskets.carts).of(cart)]


def test_a_price_that_its_quantity_does_not_divide_is_two_lines(tmp_path: Path) -> None:
    rows = [bought("b1", "p1", "2017-03-02", quantity="3", sales_value="9.80", coupon_match_disc="0.20")]

    [cart] = sample.read(written(tmp_path, rows)).carts

    assert [(line.unit_fen, line.quantity) for line in cart.lines] == [(333, 2), (334, 1)]


def test_every_row_is_in_a_cart_or_refused_for_a_reason(tmp_path: Path) -> None:
    rows = [
        bought("b1", "p1", "2017-03-02"),
        bought("b1", "p2", "2017-03-02", quantity="0"),
        bought("b2", "p1", "2017-03-02", quantity="20000"),
        bought("b3", "p1", "2017-03-02", sales_value="0.0"),
    ]

    baskets = sample.read(written(tmp_path, rows))

    assert (baskets.rows, baskets.named, len(baskets.carts), baskets.refused.total()) == (4, 3, 1, 3)


def test_a_wallet_is_that_of_the_day(tmp_path: Path) -> None:
    directory = written(tmp_path, [bought("b1", "p1", "2017-03-02")])
    [cart] = sample.read(directory).carts

    def on(day: str, household: str = "h1") -> list[str]:
        return held(directory, Cart(household, "s1", date.fromisoformat(day), cart.lines))

    assert on("2017-02-28") == on("2017-04-01") == on("2017-03-02", "h2") == []
    assert on("2017-03-01") == on("2017-03-05") == ["1-c1", "1-c2"]
    assert on("2017-03-06") == ["1-c2"]  # c1 was used the day before


def test_a_week_at_a_store_is_one_cart(tmp_path: Path) -> None:
    rows = [bought(f"b{day}", "p1", f"2017-03-0{day}") for day in (1, 3, 6)]

    weeks = joined_by_week(sample.read(written(tmp_path, rows)).carts)

    assert [(cart.day, [line.quantity for line in cart.lines]) for cart in weeks] == [
        (date(2017, 3, 3), [2]),
        (date(2017, 3, 6), [1]),
    ]


def test_greed_takes_the_largest_and_cannot_add_the_better_pair() -> None:
    def cash(name: str, face_fen: int, group: str, refund_fen: int = 0) -> Voucher:
        terms = Terms(name, name, Kind.CASH, face_fen=face_fen, stacking_group=group)
        return Voucher(name, terms, (Use(1, refund_fen),), NOW, is_prepaid=refund_fen > 0)

    wallet = [cash("a", 600, "x"), cash("b", 500, "y"), cash("c", 500, "y")]

    ways = other_ways(lines=[Line("1", "tea", "drinks", 2_000, 1)], vouchers=wallet)

    assert ways == OtherWays(none_fen=2_000, single_fen=1_400, greedy_fen=1_400)


def test_the_command_counts_what_it_planned(tmp_path: Path) -> None:
    rows = [bought("b1", "p1", "2017-03-02"), bought("b2", "p2", "2017-05-02"), bought("b3", "p9", "2017-03-02")]
    out = io.StringIO()

    call_command("baskets", written(tmp_path, rows), json=True, stdout=out)

    told: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])["baskets"]
    named = ("carts", "with_coupons", "with_one_eligible", "with_two_eligible", "proven_of_planned")
    assert [told[name] for name in named] == [3, 2, 1, 0, 1.0]
    assert told["eligible_plan_fen"] <= told["eligible_greedy_fen"] <= told["eligible_none_fen"] == 300


def test_a_directory_without_it_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="products"):
        call_command("baskets", tmp_path)


@pytest.mark.data
def test_the_real_sample_is_counted_whole(shared_data: Path) -> None:
    baskets = sample.read(shared_data / "journey")

    lines = sum(len(cart.lines) for cart in baskets.carts)
    assert (baskets.rows, baskets.named) == (75_000, 47_243)
    assert lines >= baskets.rows - baskets.refused.total()
