"""How fast a grant becomes vouchers, from the decision to the last one."""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from uuid import uuid4

from django.db import connection

from config.kernel.caller import Caller, CallerKind
from tests import factories
from tests.bench.report import Figure
from tests.bench.stand import own_database, vacuum
from vouchers.models import DealTerms, Voucher
from vouchers.services import grants
from vouchers.services.grant_issuing import issue_granted
from vouchers.services.grants import Audience

CUSTOMERS = 200_000
WARM_UP = 10_000
BY = Caller(kind=CallerKind.MACHINE, id=None)
CUSTOMER_ROWS = """
    INSERT INTO stores_customer (id, brand_id, phone_tail, created_at)
    SELECT gen_random_uuid(), %s, '', now() FROM generate_series(1, %s)
"""


def grant() -> Iterator[Figure]:
    """``grant`` with one worker and ``grant_2_workers`` with two, and how long planning took."""
    with own_database():
        brand = factories.brand()
        terms = factories.terms(factories.deal(brand))
        with connection.cursor() as cursor:
            cursor.execute(CUSTOMER_ROWS, [brand.id, CUSTOMERS])
        vacuum("stores_customer")
        _plan(terms)
        warm = 0
        while warm < WARM_UP:
            warm += issue_granted(at=datetime.now(UTC))
        began, cpu_began = time.perf_counter(), time.process_time()
        _issue_all()
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu_began
        issued = Voucher.objects.count() - warm
        yield Figure(
            "grant",
            round(issued / seconds),
            "vouchers/s",
            f"1 worker, {issued:,} vouchers of 1 grant, {grants.BATCH_VOUCHERS:,} a transaction with audit and "
            f"outbox, on top of none, Python's share {cpu / seconds:.0%}",
        )
        planned = _plan(terms)
        yield Figure("grant_plan_s", round(planned, 2), "s", f"{CUSTOMERS:,} customers by a segment query into batches")
        connection.close()  # a forked worker opens its own
        with ProcessPoolExecutor(2, mp_context=get_context("fork")) as workers:
            list(workers.map(_ready, range(2)))
            began = time.perf_counter()
            done = [each.result() for each in [workers.submit(_issue_all) for _ in range(2)]]
            seconds = time.perf_counter() - began
        yield Figure(
            "grant_2_workers",
            round(sum(done) / seconds),
            "vouchers/s",
            f"2 worker processes, {sum(done):,} vouchers ({done[0]:,} and {done[1]:,}), on top of {CUSTOMERS:,}",
        )


def _plan(terms: DealTerms) -> float:
    began = time.perf_counter()
    grants.grant(
        terms=terms,
        audience=Audience(segment={"joined": {}}),
        per_customer=1,
        reason="bench",
        request_id=uuid4(),
        by=BY,
        at=datetime.now(UTC),
    )
    return time.perf_counter() - began


def _ready(_: int) -> None:
    connection.ensure_connection()
    time.sleep(0.5)  # so that the other one starts, too


def _issue_all() -> int:
    issued = 0
    while count := issue_granted(at=datetime.now(UTC)):
        issued += count
    return issued
