"""docs/settlement.md to the fen: its example is played, its table of words is the rule's."""

import re
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.money import yuan
from orders.models import Account, CashRule, Settlement
from orders.services import surcharges
from orders.services.settling import settle_uses
from orders.services.settling_cash import settle_surcharges
from orders.services.surcharges import Extra
from tests.factories import NOW
from tests.orders import settled
from vouchers.queries.store_shares import store_share
from vouchers.settlement import Paid, SettlementRule, rules_of

PAGE = (Path(__file__).parents[2] / "docs/settlement.md").read_text()
PARTS = ("paid_fen", "entity_fen", "promoter_fen", "provider_fen", "brand_fen", "till_fen")


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below the heading, without emphasis."""
    below = PAGE.split(f"## {heading}\n")[1]
    first = re.search(r"(?:^\|.*\|\n)+", below, re.MULTILINE)
    assert first is not None
    _, _, *rows = first[0].strip().split("\n")
    return [[cell.strip(" *") for cell in row.strip("|").split("|")] for row in rows]


def test_the_words_are_the_rules() -> None:
    assert [row[0].strip("`") for row in table("The rule")] == [field.name for field in fields(SettlementRule)]


def test_a_cup_is_divided_as_the_page_says() -> None:
    class Place:
        store_id, region_ids, group_ids = uuid4(), frozenset[Any](), frozenset[Any]()
        is_dearer, zone = False, "Asia/Shanghai"

    share = store_share(
        rules_of([{"fee_bps": 200}]),
        place=Place(),
        has_entity=True,
        paid=Paid(970, promoter_bps=600, provider_bps=200),
    )
    told = [[line.part, yuan(line.fen)] for line in share.lines] + [["the store receives", yuan(share.receives_fen)]]
    assert [row[:2] for row in table("How one use is divided")] == told


@pytest.mark.django_db
def test_the_week_is_what_happens() -> None:
    counter = settled.counter()
    CashRule.objects.create(
        brand=counter.brand, kind="surcharge", from_date=date(2026, 1, 1), fee_bps=1_000, created_at=NOW
    )
    first = settled.used(counter)
    surcharges.record_at_till(
        redemption_id=first.pk,
        extra=Extra(reason="大杯", amount_fen=500),
        operator_id=counter.clerk.pk,
        request_id=uuid4(),
        at=NOW,
    )
    for days in (1, 2):
        settled.used(counter, at=NOW + timedelta(days=days))
    later = NOW + timedelta(days=2, hours=2)
    settle_uses(at=later)
    settle_surcharges(at=later)
    settled.refunded(first, 970, at=later)

    lines = list(Settlement.objects.order_by("booked_date", "source_kind", "id"))
    lines.sort(key=lambda line: (line.booked_date, line.source_kind == "after_use", line.source_kind == "surcharge"))
    played = [[line.booked_date.isoformat(), *(yuan(getattr(line, part)) for part in PARTS)] for line in lines]
    together = ["", *(yuan(sum(getattr(line, part) for line in lines)) for part in PARTS)]
    assert [[row[0], *row[2:]] for row in table("A week of one store")] == [*played, together]
    assert f"{yuan(settled.owed(counter, Account.Kind.ENTITY_PAYABLE, counter.entity.pk))} are owed" in PAGE
