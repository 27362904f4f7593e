"""``manage.py baskets DIR``: the best plan for real baskets, and what other ways would have cost. Writes nothing."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from config.kernel.money import yuan
from orders.management.carts import sample
from orders.management.carts.figures import Figures, figures_of
from orders.management.carts.sample import Baskets, joined_by_week
from orders.management.carts.wallets import RULE, SEED, wallets_of
from orders.management.replaying import trace


class Command(BaseCommand):
    help = (
        "Plan the real baskets in DIR with the coupons their households held that day, each basket by itself and each "
        "household's week at a store as one cart; compare with no voucher, the best single one and greed."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR")
        parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
        parser.add_argument("--limit", type=int, metavar="N", help="only the first N baskets, for a quicker run")

    def handle(self, *args: Any, **options: Any) -> None:
        directory = options["directory"]
        try:
            baskets, traced = sample.read(directory), trace.read(directory)
            wallets = wallets_of(traced, directory, baskets.carts)
        except trace.NoTrace as error:
            raise CommandError(str(error), returncode=2) from error
        single = baskets.carts[: options["limit"]]
        weeks = joined_by_week(single)
        with self._bar() as bar:
            planned = {}
            for name, carts in (("baskets", single), ("household weeks", weeks)):
                task = bar.add_task(name, total=len(carts))
                planned[name] = figures_of(carts, wallets, after_each=lambda task=task: bar.advance(task))  # type: ignore[misc]
        self._tell(baskets, planned)
        if options["json"]:
            by_name = {name.replace(" ", "_"): figures.as_json() for name, figures in planned.items()}
            self.stdout.write(
                json.dumps(
                    {"rows": baskets.rows, "named": baskets.named, "refused": baskets.refused, "seed": SEED, **by_name}
                )
            )

    def _tell(self, baskets: Baskets, planned: dict[str, Figures]) -> None:
        say = self.stdout.write
        say(f"{baskets.rows:,} rows of {baskets.named:,} baskets, a cent taken for a fen. Rows not taken:")
        for reason, count in baskets.refused.most_common():
            say(f"  {count:>6,}  {reason}")
        say(f"Baskets with a row left: {len(baskets.carts):,}.")
        say(f"Coupons are worth, seed {SEED}: {RULE}.")
        for name, figures in planned.items():
            told = figures.as_json()
            say(f"\n{name}: {figures.carts:,}")
            say(f"  too large for one order {figures.too_large:,}; with coupons that day {figures.with_coupons:,}")
            say(f"  with an eligible one {figures.with_one_eligible:,}, with two or more {figures.with_two_eligible:,}")
            say(f"  at most {figures.most_coupons:,} held, {figures.most_eligible:,} eligible")
            say(f"  proven {figures.proven:,} of {figures.with_coupons:,}")
            say(
                "  time of a plan: "
                + ", ".join(f"{w} {told[f'plan_ms_{w}']} ms" for w in ("median", "p95", "p99", "max"))
            )
            ways = (
                ("no voucher", figures.none_fen),
                ("best single", figures.single_fen),
                ("greed", figures.greedy_fen),
            )
            for way, fen in (*ways, ("best plan", figures.plan_fen)):
                say(f"  {way:12} {yuan(fen):>16}  true cost of those with an eligible one")
            say(
                f"  greed is dearer in {figures.greedy_worse:,} of {figures.with_two_eligible:,}: "
                f"median {yuan(told['greedy_worse_fen_median'])}, at most {yuan(told['greedy_worse_fen_max'])}, "  # type: ignore[arg-type]
                f"in all {yuan(told['greedy_worse_fen_sum'])}"  # type: ignore[arg-type]
            )

    def _bar(self) -> Progress:
        return Progress(
            TextColumn("{task.description:16}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(file=sys.stderr),
        )
