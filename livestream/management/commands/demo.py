"""``manage.py demo``: a livestream and the week after it on this machine, from the sale to statements and audit."""

import json
import random
import time
from argparse import ArgumentParser
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.management import BaseCommand, CommandError, call_command
from django.utils import timezone
from rich.console import Console

from config.kernel.errors import DomainError
from config.kernel.processes import PortTaken, ProcessDied, Processes
from config.kernel.rehearsal_clock import RehearsalClock, follow, wind_back
from livestream.models import LiveSession
from livestream.rehearsal import shopfront, statements, summary
from livestream.rehearsal.chain import Chain, open_chain
from livestream.rehearsal.crowd import Crowd, RehearsalStopped
from livestream.rehearsal.figures import Books, books
from livestream.rehearsal.guests import DAYS
from livestream.rehearsal.play import Play
from livestream.rehearsal.sale import open_sale
from livestream.rehearsal.site import site
from livestream.rehearsal.stage import Stage
from livestream.rehearsal.trouble import TROUBLE_SECONDS, NotOurEngines, require_own_engines, trouble
from orders.invariants import auditing, journal
from stores.services.generated_stores import BRAND_NAME

ARRIVALS = settings.BASE_DIR.parent / "shared" / "data" / "spike" / "live_grab_arrivals.csv"
FAULTS = {"duplicate": 0.02, "delay_seconds": 0.5, "disorder": 0.02, "lose": 0.005, "fail_refunds": 0.01, "seed": 7}
UNPAID_AFTER_SECONDS = 20
BRAND_ZONE = "Asia/Shanghai"


class Command(BaseCommand):
    help = (
        "Play a livestream and the week after it, a week that ends now: a brand sells to simulated viewers over HTTP, "
        "vouchers are issued, customers order at stores from their wallets, clerks redeem and undo, some refund, the "
        "week is settled and the books are audited. Without --exit the site stays up afterwards."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--exit", action="store_true", help="end after the summary instead of keeping the site up")
        parser.add_argument("--orders", type=int, default=5_000, help="how many viewers buy (default: %(default)s)")
        parser.add_argument(
            "--store-orders",
            type=int,
            metavar="N",
            help="how many of them order at a store from their wallets (default: one in sixteen)",
        )
        parser.add_argument(
            "--stores", metavar="N|FILE", default="5000", help="how many generated stores, or a CSV file"
        )
        parser.add_argument(
            "--trouble",
            action="store_true",
            help="in the middle of the sale freeze and wipe Redis and stop PostgreSQL for 20 s (embedded engines only)",
        )
        parser.add_argument("--seed", type=int, default=20260601, help="of everybody's choices (default: %(default)s)")
        parser.add_argument("--port", type=int, default=8000, help="where the site answers (default: %(default)s)")
        parser.add_argument(
            "--sandbox-port", type=int, default=8009, help="the sandbox provider (default: %(default)s)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["orders"] < 100:
            raise CommandError("--orders: at least 100, or some of the figures would be zero by chance.")
        stores, stores_csv = _stores(options["stores"])
        console = Console(stderr=False)
        try:
            if options["trouble"]:
                require_own_engines()
            call_command("migrate", verbosity=0)
            clock = wind_back(settings.LOCAL_DIR / "rehearsal-clock", to=_evening_of_the_livestream())
            follow(clock.path)
            with site(
                port=options["port"],
                sandbox_port=options["sandbox_port"],
                HEXIAO_UNPAID_AFTER_SECONDS=str(UNPAID_AFTER_SECONDS),
                HEXIAO_REHEARSAL_CLOCK=str(clock.path),
            ) as processes:
                self._play(console, processes, clock, stores=stores, stores_csv=stores_csv, options=options)
        except (NotOurEngines, PortTaken, ProcessDied, RehearsalStopped) as error:
            raise CommandError(str(error)) from error
        except DomainError as refusal:
            raise CommandError(f"{refusal.message('en')} {refusal.details}") from refusal
        except KeyboardInterrupt:
            console.print("\nstopped")

    def _play(
        self,
        console: Console,
        processes: Processes,
        clock: RehearsalClock,
        *,
        stores: int,
        stores_csv: Path | None,
        options: dict[str, Any],
    ) -> None:
        at = timezone.now()
        chain = open_chain(name=BRAND_NAME, stores=stores, stores_csv=stores_csv, at=at)
        shopfront.furnish(brand_id=chain.brand.id, at=at)
        session = open_sale(brand_id=chain.brand.id, orders=options["orders"], at=at)
        console.print(
            f"{chain.brand.name} opens a livestream · {chain.store_count:,} stores · {options['orders']:,} viewers"
        )
        began = time.monotonic()
        stage = Stage(
            chain=chain,
            session=session,
            site_port=options["port"],
            sandbox_port=options["sandbox_port"],
            processes=processes,
            console=console,
            journal=settings.LOCAL_DIR / "acknowledged.jsonl",
            luck=random.Random(options["seed"]),  # noqa: S311 - a rehearsal that can be repeated, no secret
            clock=clock,
        )
        store_orders = options["orders"] // 16 if options["store_orders"] is None else options["store_orders"]
        lasting = TROUBLE_SECONDS if options["trouble"] else 0.0
        with_trouble = trouble(console) if options["trouble"] else nullcontext()
        play = Play(stage, options["orders"], store_orders)
        sale, told = play.act_out(ARRIVALS, FAULTS, during_the_sale=with_trouble, lasting_seconds=lasting)
        found = books(chain.brand.id)
        today = timezone.now().astimezone(ZoneInfo(chain.brand.zone)).date()
        week = statements.of_the_week(
            chain.brand.id, name=chain.brand.name, stores=[store for store, _ in chain.counters], until=today
        )
        violations = _audit(stage.journal)
        seconds = round(time.monotonic() - began, 1)
        _write_sign_ins(chain, session, options)
        for statement in (week.company_store, week.franchisee):
            if statement is not None:
                summary.show_statement(console, statement, summary.OF_AN_ENTITY)
        summary.show_statement(console, week.brand, summary.OF_THE_BRAND)
        summary.show_savings(console, told)
        summary.show_books(console, found, sale, seconds=seconds, violations=violations)
        if not options["exit"]:
            _print_sign_ins(console, chain, options["port"])
            while True:
                processes.check()
                time.sleep(0.5)
        report = _report(found, sale, seconds=seconds, violations=violations)
        self.stdout.write(json.dumps({**report, **summary.as_json(told, week.all)}))
        if violations or not found.add_up or not all(statement.adds_up for statement in week.all):
            raise CommandError("The books do not add up: see the summary above and run `./manage.py audit`.")


def _stores(wanted: str) -> tuple[int, Path | None]:
    if wanted.isdigit():
        return int(wanted), None
    if not Path(wanted).is_file():
        raise CommandError(f"--stores: {wanted} is neither a number nor a file.")
    return 0, Path(wanted)


def _evening_of_the_livestream() -> datetime:
    """So that the week after it ends yesterday, where the brand is."""
    local = datetime.now(ZoneInfo(BRAND_ZONE))
    return (local - timedelta(days=DAYS + 1)).replace(hour=20, minute=0, second=0, microsecond=0)


def _audit(acknowledged: Path) -> int:
    with auditing.one_snapshot():
        results = [*auditing.look_at_everything(progress=auditing.silent)]
        with acknowledged.open() as lines:
            results.append(journal.compare(lines))
    return auditing.violations(results)


def _report(found: Books, sale: Crowd, *, seconds: float, violations: int) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "accepted": found.accepted,
        "closed_unpaid": found.closed_unpaid,
        "sold": found.sold,
        "issued": found.issued,
        "redeemed": found.redeemed,
        "partly_used": found.partly_used,
        "refunded": found.refunded,
        "expired": found.expired,
        "open": found.open,
        "accept_per_s": found.accept_per_s,
        "accept_p99_ms": sale.percentile_ms(99),
        "violations": violations,
    }


def _write_sign_ins(chain: Chain, session: LiveSession, options: dict[str, Any]) -> None:
    """Shell variables for the journey in README.md."""
    values = {
        "URL": f"http://127.0.0.1:{options['port']}",
        "SANDBOX": f"http://127.0.0.1:{options['sandbox_port']}",
        "API_KEY": chain.api_key,
        "SESSION": session.public_id,
        "STORE": chain.counters[0][0].public_id,
        "CLERK": chain.counters[0][1].username,
        "MANAGER": chain.manager.username,
        "OWNER": chain.owner.username,
        "PASSWORD": chain.password,
    }
    path = settings.LOCAL_DIR / "demo.env"
    path.touch(mode=0o600)
    path.write_text("".join(f"{name}='{value}'\n" for name, value in values.items()))


def _print_sign_ins(console: Console, chain: Chain, port: int) -> None:
    console.print(f"\nThe site stays up on http://127.0.0.1:{port} · its API: http://127.0.0.1:{port}/api/docs/")
    console.print(
        f"sign in as {chain.owner.username}, {chain.manager.username} or {chain.counters[0][1].username}, "
        f"password {chain.password}",
        highlight=False,
    )
    console.print(f"the staff's counter: http://127.0.0.1:{port}/console/", highlight=False)
    phone = shopfront.let_somebody_in(brand_id=chain.brand.id)
    console.print(
        f"the customers' shop: http://127.0.0.1:{port}/shop/{chain.brand.slug}/ · sign in with phone "
        f"{phone or 'numbers of your own'}; the code stands on the page",
        highlight=False,
    )
    console.print("the README's curl journey starts with: . .local/demo.env · Ctrl-C stops everything", highlight=False)
