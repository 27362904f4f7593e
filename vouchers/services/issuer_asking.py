"""Calls that platforms have not decided, asked about until they have."""

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.db import transaction

from config.kernel import audit
from config.kernel.caller import MACHINE
from vouchers.issuers import registry
from vouchers.models import IssuerCall
from vouchers.services import issuer_calls
from vouchers.services.issuer_outcomes import PENDING_ASKED_EVERY, UNDECIDED

log = logging.getLogger(__name__)

QUICK_ASKS, QUICK_AFTER = 5, timedelta(seconds=5)
ASKS_AT_MOST, SLOW_AFTER = 14, timedelta(seconds=40)
"""What the platforms advise: five times every 5 s, then every 40 s, fourteen in all."""
PEOPLE_ASK_EVERY = timedelta(hours=1)
"""After that an alarm is people's work; nothing is concluded from silence, so it is still asked now and then."""
PENDING_AT_MOST = timedelta(hours=48)
ASKED_AT_ONCE = 4


def ask_due(*, limit: int, at: datetime) -> int:
    """
    Ask platforms about up to ``limit`` calls that are due, oldest first; says how many were decided.

    A call is claimed by moving its next question on, committed before anybody is asked, so two sweepers
    share the work and one that dies leaves it to the next. Query first; a call that its platform never
    heard of is said again with the same reference.
    """
    claimed = claim(limit=limit, at=at)
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        answers = list(pool.map(issuer_calls.ask, [issuer_calls.line_of(call) for call in claimed]))
    decided = [issuer_calls.apply(call, answer, at=at) for call, answer in zip(claimed, answers, strict=True)]
    return sum(call.outcome not in UNDECIDED for call in decided)


def claim(*, limit: int, at: datetime) -> list[IssuerCall]:
    """Due calls with their next question moved on; those that somebody has locked are left to her."""
    with transaction.atomic(durable=True):
        due = list(
            IssuerCall.objects.select_for_update(no_key=True, skip_locked=True, of=("self",))
            .select_related("voucher")
            .filter(outcome__in=UNDECIDED, next_ask_at__lte=at, issuer__in=list(registry.KNOWN))
            .order_by("next_ask_at")[:limit]
        )
        for call in due:
            call.asked_times = min(call.asked_times + 1, 32_767)
            call.next_ask_at = at + next_after(call, at=at)
            if _needs_people(call, at=at):
                _raise_alarm(call, at=at)
        IssuerCall.objects.bulk_update(due, ["asked_times", "next_ask_at"])
    return due


def next_after(call: IssuerCall, *, at: datetime) -> timedelta:
    """How long after its ``asked_times``-th question a call is asked about again."""
    if call.outcome == IssuerCall.Outcome.PENDING:
        return PENDING_ASKED_EVERY if at < call.created_at + PENDING_AT_MOST else PEOPLE_ASK_EVERY
    if call.asked_times < QUICK_ASKS:
        return QUICK_AFTER
    return SLOW_AFTER if call.asked_times < ASKS_AT_MOST else PEOPLE_ASK_EVERY


def _needs_people(call: IssuerCall, *, at: datetime) -> bool:
    """Once: at the last quick question, or at the first one after the 48 h in which a risk is decided."""
    if call.outcome == IssuerCall.Outcome.UNKNOWN:
        return call.asked_times == ASKS_AT_MOST
    over = call.created_at + PENDING_AT_MOST
    return over <= at < over + PEOPLE_ASK_EVERY


def _raise_alarm(call: IssuerCall, *, at: datetime) -> None:
    log.error("%s has not decided %s, asked %d times", call.issuer, call.public_id, call.asked_times)
    audit.record(
        act="issuer.undecided",
        actor_kind=MACHINE.kind,
        actor_id=None,
        subject_kind="issuer_call",
        subject_id=call.id,
        brand_id=call.voucher.brand_id,
        details={"issuer": call.issuer, "asked_times": call.asked_times},
        at=at,
    )
