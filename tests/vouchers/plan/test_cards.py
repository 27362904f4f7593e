"""Which cards are opened where a deal's limit lets an order open only some of them."""

from datetime import UTC, datetime
from itertools import combinations
from random import Random

from vouchers.plan import best_plan
from vouchers.plan.model import Choice, Item, Kind, Line, Scope, Terms, Use, Voucher


def test_of_limited_cards_the_earliest_uses_of_the_fewest_cards_with_the_smallest_ids_go() -> None:
    random, limited = Random(1), 0
    for _ in range(150):
        most = random.randint(1, 3)
        terms = Terms("t", "d", Kind.TIMES_CARD, choices=(Choice(1, (Item(Scope()),)),), max_per_order=most)
        cards = [
            Voucher(
                f"card{number}",
                terms,
                tuple(Use(serial, 0) for serial in range(1, random.randint(1, 3) + 1)),
                datetime(2026, 12, random.randint(1, 3), tzinfo=UTC),
                is_prepaid=False,
            )
            for number in range(random.randint(1, 6))
        ]
        cups = random.randint(1, 7)
        uses = [(card.expires_at, card.id) for card in cards for _ in card.uses]
        n = max(
            k
            for k in range(cups + 1)
            for opened in combinations(cards, min(most, len(cards)))
            if sum(len(card.uses) for card in opened) >= k
        )
        best = min(
            (tuple(sorted(day for day, _ in chosen)), len({card for _, card in chosen}), [card for _, card in chosen])
            for chosen in (sorted(c, key=lambda use: use[1]) for c in combinations(uses, n))
            if len({card for _, card in chosen}) <= most
        )
        limited += most < len(cards)

        plan = best_plan(lines=[Line("a", "tea", "drinks", 1_000, cups)], vouchers=cards)

        assert plan.settled
        assert (plan.objective.expiries, plan.objective.vouchers, list(plan.objective.ids)) == best
    assert limited >= 50
