"""How fast the lane takes orders: closed loop, open loop, and beside the bare answer of the same server."""

import random
from collections.abc import Iterator, Sequence
from uuid import UUID

from tests.bench.load import Outcome, closed_loop, open_loop
from tests.bench.report import Figure
from tests.bench.stand import Stage, own_database, serve, stage

ORDERS = 40_000
WARM_UP = 4_000
PROCESSES = 2


def rate(port: int, staged: Stage, *, clients: int, known: Sequence[UUID] = ()) -> Outcome:
    """Sell after a warm-up that gives batches their size; half of the buyers are ``known`` where there are any."""
    closed_loop(port, [staged.buy() for _ in range(WARM_UP)], clients=clients)
    buyers = [random.choice(known) if known and i % 2 else None for i in range(ORDERS)]
    return closed_loop(port, [staged.buy(buyer) for buyer in buyers], clients=clients)


def told(name: str, outcome: Outcome, clients: int, more: str = "") -> Figure:
    return Figure(
        name,
        round(outcome.statuses[201] / outcome.seconds),
        "purchases/s",
        f"{clients} clients, closed loop, 1 hot offer, {PROCESSES} processes, {len(outcome.latencies_ms)} orders, "
        f"p50 {outcome.percentile_ms(50):.0f} ms, p99 {outcome.percentile_ms(99):.0f} ms{more}{refused(outcome)}",
    )


def refused(outcome: Outcome) -> str:
    """Said wherever it is not zero: an answer that sold nothing must not pass for speed."""
    others = {status: count for status, count in outcome.statuses.items() if status != 201}
    return f"; NOT SOLD, by status: {others}" if others else ""


def bare() -> float:
    with serve("tests.bench.bare:application") as server:
        staged = stage()
        closed_loop(server.port, [staged.buy() for _ in range(WARM_UP)], clients=256)
        return closed_loop(server.port, [staged.buy() for _ in range(ORDERS)], clients=256).per_second


def intake() -> Iterator[Figure]:
    """``intake_256``, ``intake_64``, ``bare_asgi_256``, ``intake_open_p99_ms``, ``intake_mb``."""
    with own_database():
        bare_per_second = bare()
        yield Figure("bare_asgi_256", round(bare_per_second), "answers/s", "the same requests, answered without a look")
        with serve("config.asgi:intake") as server:
            alone = rate(server.port, stage(), clients=256)
        with serve("config.asgi:intake", workers=PROCESSES) as server:
            staged = stage()
            wide = rate(server.port, staged, clients=256)
            beside = (
                f"; {wide.per_second / bare_per_second:.2f} of the bare answer's rate; "
                f"1 process took {alone.per_second:.0f}/s"
            )
            yield told("intake_256", wide, 256, beside)
            yield told("intake_64", rate(server.port, staged, clients=64), 64)
            paced = open_loop(server.port, [staged.buy() for _ in range(30_000)], per_second=2_000)
            yield Figure(
                "intake_open_p99_ms",
                round(paced.percentile_ms(99), 1),
                "ms",
                f"open loop, 2,000/s wanted, {paced.per_second:.0f}/s kept, p50 {paced.percentile_ms(50):.1f} ms, "
                "counted from when each was due",
            )
            used = server.pss_mb()
            sold = WARM_UP * 2 + ORDERS * 2 + 30_000
            share = f"PSS of the larger of {PROCESSES} intake processes after {sold:,} orders"
            yield Figure("intake_mb", round(max(used)), "MB", share)
