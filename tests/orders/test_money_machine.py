"""Any sequence of acts over any rules leaves the ledger balanced and every party's lines summing to its account."""

import pytest

from orders.services import settlement_lines
from orders.services.ledger import Posting
from orders.services.settlement_lines import Line
from tests.orders import money_machine


def test_any_sequence_of_acts_over_any_rules_leaves_everybody_what_is_his() -> None:
    money_machine.run(examples=300, steps=30)


def test_control_a_fen_that_is_not_posted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_the_entitys(line: Line) -> list[Posting]:
        return [one for one in settlement_lines.postings_of(line) if one.kind != "entity_share"]

    monkeypatch.setattr(money_machine, "postings_of", without_the_entitys)
    with pytest.raises(AssertionError):
        money_machine.run(examples=200, steps=30, derandomize=True, made_small=False)
