"""``./manage.py sandbox``: the sandbox payment provider as an HTTP process of its own."""

import os
from argparse import ArgumentParser
from typing import Any

import orjson
from django.core.management.base import BaseCommand
from granian import Granian
from granian.constants import Interfaces, Loops

BILL_FAULTS = {
    "missing": "share of a bill's lines left out",
    "extra": "share of lines beside which a second capture is invented",
    "amount": "share of lines of another amount",
    "late": "share of lines that only the next day's bill has",
    "duplicate": "share of lines printed twice",
}


class Command(BaseCommand):
    help = "Run the sandbox payment provider: it takes every payment and tells the site by signed notices."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8009)
        parser.add_argument("--notify-url", default="", help="where notices go; without it, to this site's own address")
        parser.add_argument("--remember", type=int, default=1_000_000, help="how many payments it keeps in memory")
        faults = parser.add_argument_group("what shall go wrong (POST /faults changes it while it runs)")
        faults.add_argument("--duplicate", type=float, default=0.0, help="share of events told twice")
        faults.add_argument("--delay-seconds", type=float, default=0.0, help="events are told up to this much later")
        faults.add_argument("--disorder", type=float, default=0.0, help="share of events that later ones overtake")
        faults.add_argument("--lose", type=float, default=0.0, help="share of events never told: ask for them")
        faults.add_argument("--fail-refunds", type=float, default=0.0, help="share of refunds that fail at first")
        for fault, help_ in BILL_FAULTS.items():
            faults.add_argument(f"--bill-{fault}", type=float, default=0.0, help=help_)
        faults.add_argument("--seed", type=int, help="makes the misfortune repeatable")

    def handle(self, *args: Any, **options: Any) -> None:
        named = ("duplicate", "delay_seconds", "disorder", "lose", "fail_refunds", "seed")
        configuration = {
            "notify_url": options["notify_url"],
            "remember": options["remember"],
            "faults": {name: options[name] for name in named}
            | {"bill": {fault: options[f"bill_{fault}"] for fault in BILL_FAULTS}},
        }
        os.environ["HEXIAO_SANDBOX"] = orjson.dumps(configuration).decode()  # read by the worker process
        Granian(
            "orders.providers.sandbox_server:app",
            address=options["host"],
            port=options["port"],
            interface=Interfaces.ASGI,
            loop=Loops.uvloop,
            websockets=False,
        ).serve()
