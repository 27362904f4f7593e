"""
Made-up requests against the API's own description, as everybody: no server errors, no answer that is not
described, wrong data refused.

The same seed makes the same requests. Each is forgotten, so none changes what the next one meets.
"""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from schemathesis import Case

from config.kernel.api.document import document
from config.kernel.caller import CallerKind
from stores.api.authentication import known_keys
from stores.models import ApiClient
from tests.api import fuzzing
from tests.api.fuzzing import Fuzz
from tests.api.operations import OPERATIONS, QUERIES
from tests.api.world import Someone, World, forgotten

LANE_ALONE = {"watch_live_figures"}
"""A stream of the lane; tests/livestream/test_lane.py reads it."""


PARTS = 16
"""Of the operations, so that every core has some."""

NEVER_DONE = {
    # Somebody else's act comes before them.
    *("approve_case", "make_order", "ready_order", "collect_order", "start_order_payment", "retry_refund"),
    *("book_bill_difference", "get_statement_export_file", "get_bank_account", "take_brand_picture_away"),
    *("disconnect_issuer", "get_invoice_amount", "ask_invoice"),
    # They want what nobody makes up: a signature, a quoted plan, a day that is over.
    *("take_payment_notice", "place_order", "close_day"),
    # Terms for nothing but one store or product.
    *("list_product_vouchers", "list_store_vouchers"),
}
"""Refusals are all that made-up requests meet here; the tests of each do it."""


@pytest.fixture
def world() -> Iterator[World]:
    known_keys.forget()
    for signal in (request_started, request_finished):  # as django.test.Client does: the connection is the test's
        signal.disconnect(close_old_connections)
    yield World()
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.django_db
def test_the_site_answers_made_up_requests_as_it_is_described(
    part: int, world: World, subtests: pytest.Subtests
) -> None:
    operations = fuzzing.operations_of(fuzzing.sown(document(), world.own), get_wsgi_application())
    for name in sorted(set(operations) - LANE_ALONE)[part::PARTS]:
        reached: set[int] = set()
        for who in knocking(world, name):
            with subtests.test(name, who=who.name):
                fuzz = Fuzz(operations[name], send=sender(who))
                is_let_in = OPERATIONS[name].expected(who, "own") == "allowed"
                if is_let_in:
                    say_right(fuzz, name, world)
                fuzz.right(fuzzing.EXAMPLES if is_let_in else 1)
                if fuzzing.takes_wrong(operations[name]):
                    fuzz.wrong(fuzzing.EXAMPLES if is_let_in else 1)
                reached |= fuzz.reached
        with subtests.test(name, reached=sorted(reached)):
            assert name in NEVER_DONE or any(200 <= status < 300 for status in reached), "nothing is tried but refusals"


def knocking(world: World, name: str) -> list[Someone]:
    """A customer, a clerk, the brand's program and nobody; and whoever may, where none of them may."""
    scopes = frozenset(ApiClient.Scope)
    program = Someone("program", CallerKind.API_CLIENT, world.own.issue(*scopes).key, scopes=scopes)
    clerk = next(who for who in world.roles if who.name == "clerk")
    four = [world.customer, clerk, program, world.nobody]
    others = [who for who in world.callers if OPERATIONS[name].expected(who, "own") == "allowed"]
    is_reached = any(OPERATIONS[name].expected(who, "own") == "allowed" for who in four)
    return four if is_reached else [*four, *others[:1]]


def sender(who: Someone) -> fuzzing.Send:
    def send(case: Case) -> Any:
        with forgotten():
            return case.call(headers=dict(who.headers))

    return send


def say_right(fuzz: Fuzz, name: str, world: World) -> None:
    """The one request that the walk makes: a body that would do."""
    operation = OPERATIONS[name]
    case = fuzz.operation.Case(
        path_parameters={
            parameter.name: parameter.definition["schema"].get("enum", ["p-1"])[0]
            for parameter in fuzz.operation.path_parameters
        },
        headers={"Idempotency-Key": str(uuid4())},
        query={
            parameter.name: parameter.definition["schema"]["enum"][0]
            if "enum" in parameter.definition["schema"]
            else QUERIES[parameter.name](world.own)
            for parameter in fuzz.operation.query
            if parameter.is_required
        },
        **({"body": operation.body(world.own, world.own.store)} if operation.body else {}),
        media_type=operation.media_type if operation.body else None,
    )
    fuzz.look(case, fuzzing.ANSWERS)
