"""``manage.py audit``: do the books and the stock say what happened? Exit 1 where they do not."""

import json
import sys
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from config.kernel.money import yuan
from orders.invariants import auditing, journal, references
from orders.invariants.auditing import Result
from orders.invariants.check import Invariant

RECENT_AT_MOST = 20_000
"""Purchases in one slice; the newest are looked at."""


class Command(BaseCommand):
    help = "Check the invariants I1-I9 in one snapshot; exit 1 and name rows where one is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")
        parser.add_argument(
            "--recent", type=int, metavar="MINUTES", help="only what recent purchases touched: bounded, no full scan"
        )
        parser.add_argument(
            "--acknowledged",
            type=Path,
            metavar="FILE",
            help="also compare a client's journal, one JSON object a line: "
            "customer, request_id, purchase, quantity, total_fen",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        progress = auditing.silent if options["json"] else self._progress
        scope = "everything"
        with auditing.one_snapshot():
            if options["recent"] is None:
                results = auditing.look_at_everything(progress=progress)
            else:
                part, results = auditing.look_at_recent(
                    minutes=options["recent"], limit=RECENT_AT_MOST, at=timezone.now(), progress=progress
                )
                scope = f"{len(part.purchase_ids):,} purchases of the last {options['recent']} minutes"
                scope += ", the newest; more were touched" if part.is_cut else ""
            if options["acknowledged"]:
                results = [*results, _compare(options["acknowledged"])]
        seconds = round(time.monotonic() - started, 1)
        broken = auditing.violations(results)
        if options["json"]:
            report = {"scope": scope, "seconds": seconds, "violations": broken, "checks": [asdict(r) for r in results]}
            self.stdout.write(json.dumps(report, ensure_ascii=False, default=str))
        else:
            self._print(results, scope=scope, seconds=seconds, broken=broken)
        if broken:
            sys.exit(1)

    def _progress(self, invariant: Invariant, results: Sequence[Result]) -> None:
        seconds = sum(result.seconds for result in results)
        state = "BROKEN" if auditing.violations(results) else "holds"
        self.stderr.write(f"{invariant.number:<3} {state:<7} {seconds:7.1f} s  {invariant.says}")

    def _print(self, results: Sequence[Result], *, scope: str, seconds: float, broken: int) -> None:
        self.stdout.write(f"\nAudit of {scope}, one snapshot, {seconds} s\n")
        held = [result for result in results if result.invariant == references.NUMBER and not result.broken]
        for result in results:
            if result in held:
                continue
            figures = "  ".join(f"{name} {_figure(name, value)}" for name, value in result.figures.items())
            mark = "✗" if result.broken else "✓"
            self.stdout.write(f"{mark} {result.invariant:<3} {result.check:<32} {result.rows:>12,} rows  {figures}")
            for rule, count in result.broken.items():
                self.stdout.write(f"      {rule}: {count:,} broken")
                for row in result.first[rule]:
                    self.stdout.write(f"        {json.dumps(row, ensure_ascii=False, default=str)}")
        rows = sum(result.rows for result in held)
        self.stdout.write(f"✓ {references.NUMBER:<3} {f'{len(held)} columns':<32} {rows:>12,} rows")
        self.stdout.write(f"violations: {broken}")


def _compare(path: Path) -> Result:
    try:
        with path.open(encoding="utf-8") as lines:
            return journal.compare(lines)
    except (OSError, journal.NotAJournal) as error:
        raise CommandError(f"{path}: {error}", returncode=2) from error


def _figure(name: str, value: int) -> str:
    return yuan(value) if name == "fen" or name.endswith("_fen") else f"{value:,}"
