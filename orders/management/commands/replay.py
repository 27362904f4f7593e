"""``manage.py replay DIR``: a real trace of coupons through the real services. Exit 1 where an answer is wrong."""

import json
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from orders.invariants import auditing
from orders.management.replaying import trace
from orders.management.replaying.acts import People, mutations
from orders.management.replaying.books import Books, Totals
from orders.management.replaying.chain import Chain, open_chain
from orders.management.replaying.trace import Trace
from vouchers.services.expiry import expire_due

A_DAY = timedelta(days=1)
EXPIRED_A_BATCH = 5_000
WRONG_SHOWN = 20
ASSIGNED = [
    "one store, its zone and the hour of each redemption: the trace has days only",
    "what a coupon takes off: ¥1",
    "wallet and counter in turn: the trace does not say how a coupon was used",
    "no basket: which products were in it is not asked",
]


class Command(BaseCommand):
    help = (
        "Play the real trace in DIR (campaigns, coupons, redemptions) through the services, day by day, with every "
        "mutation that must be refused; in a brand of its own. Run it where no workers run: its clock walks through "
        "days long past, and a worker's clock would expire everything at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("directory", type=Path, metavar="DIR")
        parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
        parser.add_argument("--campaigns", default="", metavar="1,2,…", help="only these campaigns, for a quicker run")

    def handle(self, *args: Any, **options: Any) -> None:
        only = [name for name in options["campaigns"].split(",") if name]
        try:
            traced = trace.read(options["directory"], only=only)
        except trace.NoTrace as error:
            raise CommandError(str(error), returncode=2) from error
        with self._bar(traced) as bar:
            replay = Replay(traced, bar)
            replay.run()
        report = replay.report()
        if not options["json"]:
            self._print(report)
        self.stdout.write(json.dumps(report, ensure_ascii=False))
        if not report["ok"]:
            sys.exit(1)

    @contextmanager
    def _bar(self, traced: Trace) -> Iterator["Bar"]:
        columns = (
            TextColumn("{task.description:<40}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as progress:
            yield Bar(progress, total=len(list(traced.days())))

    def _print(self, report: dict[str, Any]) -> None:
        vouchers, took = report["vouchers"], report["seconds"]
        self.stdout.write(f"{report['days']} days, {vouchers['vouchers']:,} vouchers in brand {report['brand']}")
        self.stdout.write(f"  used {vouchers['used']:,}  expired {vouchers['expired']:,}  open {vouchers['open']:,}")
        self.stdout.write(f"  accepted {report['accepted']}  refused {report['refused']}")
        self.stdout.write(f"  {report['several_uses']} vouchers have more than one use, as the trace has")
        self.stdout.write(f"  audit: {report['audit']['violations']} violations; recounts: {report['recounts']}")
        self.stdout.write(f"  {took['all']:.0f} s: " + ", ".join(f"{k} {v:.0f}" for k, v in took.items() if k != "all"))
        for line in report["assigned"]:
            self.stdout.write(f"  assigned: {line}")
        for line in report["wrong"]:
            self.stdout.write(f"  WRONG {line}")


class Bar:
    """One step a day."""

    def __init__(self, progress: Progress, *, total: int) -> None:
        self._progress, self._task = progress, progress.add_task("", total=total)

    def now(self, what: str) -> None:
        self._progress.update(self._task, description=what)

    def step(self) -> None:
        self._progress.advance(self._task)


class Replay:
    """The clock: it walks from day to day, lets everybody act, and looks at the books every evening."""

    def __init__(self, traced: Trace, bar: Bar) -> None:
        self._trace, self._bar = traced, bar
        self._days = list(traced.days())
        self._seconds: Counter[str] = Counter()
        self._violations: dict[str, int] = {}
        self._totals: Totals | None = None
        self._chain: Chain = open_chain(at=datetime.combine(self._days[0], datetime.min.time()).astimezone())
        self._people = People(self._chain, traced)
        self._books = Books(traced, brand_id=self._chain.brand.pk, store_id=self._chain.store.pk)

    def run(self) -> None:
        began = time.monotonic()
        for day in self._days:
            self._play(day)
            self._bar.step()
        self._bar.now("audit")
        with self._timed("audit"), auditing.one_snapshot():
            results = auditing.look_at_everything()
        self._violations = {rule: count for result in results for rule, count in result.broken.items()}
        self._seconds["all"] = time.monotonic() - began  # type: ignore[assignment]

    def _play(self, day: date) -> None:
        chain, books = self._chain, self._books
        midnight, next_midnight = chain.midnight(day), chain.midnight(day + A_DAY)
        with self._timed("expiry"):
            expired = 0
            while count := expire_due(limit=EXPIRED_A_BATCH, at=midnight):
                expired += count
        with self._timed("books"):
            books.expired(day, expired)
            ended = any(campaign.last_day + A_DAY == day for campaign in self._trace.campaigns)
            if ended or day == self._days[-1]:
                self._totals = books.recount(day)
        for campaign in self._trace.campaigns:
            if campaign.first_day == day:
                self._bar.now(f"{day}: campaign {campaign.name}, {campaign.vouchers:,} vouchers")
                with self._timed("grants"):
                    chain.grant(campaign, self._trace)
        with self._timed("redemptions"):
            for use in self._trace.uses_of_day.get(day, ()):
                self._people.use(use)
        with self._timed("books"):
            books.day_is_over(day, midnight, next_midnight)

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._seconds[what] += time.monotonic() - began  # type: ignore[assignment]

    def report(self) -> dict[str, Any]:
        answers, totals = self._people.answers, self._totals
        assert totals is not None, "the last day was recounted"
        asked = sum(answers.accepted.values()) + sum(answers.refused.values())
        expected = mutations(self._trace)
        wrong = [*answers.wrong, *self._books.wrong, *(f"audit: {rule} × {n}" for rule, n in self._violations.items())]
        if answers.refused != +expected:
            wrong.append(f"refused {dict(answers.refused)} instead of {dict(expected)}")
        if sum(answers.accepted.values()) != len(self._trace.uses):
            wrong.append(f"accepted {sum(answers.accepted.values()):,} instead of {len(self._trace.uses):,}")
        seconds = self._seconds
        return {
            "ok": not wrong,
            "brand": self._chain.brand.slug,
            "days": len(self._days) - 1,
            "campaigns": len(self._trace.campaigns),
            "granted": self._trace.vouchers,
            "vouchers": asdict(totals),
            "several_uses": sum(1 for times in self._trace.times_used.values() if times > 1),
            "accepted": {"all": sum(answers.accepted.values()), **answers.accepted},
            "refused": {"all": sum(answers.refused.values()), **answers.refused},
            "recounts": self._books.recounts,
            "audit": {"violations": sum(self._violations.values())},
            "seconds": {what: round(took, 1) for what, took in seconds.items()},
            "per_second": {
                "granted": round(totals.vouchers / (seconds["grants"] or 1)),
                "expired": round(totals.expired / (seconds["expiry"] or 1)),
                "asked": round(asked / (seconds["redemptions"] or 1)),
            },
            "assigned": ASSIGNED,
            "wrong_count": len(wrong),
            "wrong": wrong[:WRONG_SHOWN],
        }
