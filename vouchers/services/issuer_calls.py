"""Saying a call to its platform, and asking what became of it: network, so never inside a transaction."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from vouchers.issuers import registry
from vouchers.issuers.interface import (
    CallState,
    CancelAnswer,
    CancelOrder,
    Issuer,
    IssuerSilent,
    RedeemAnswer,
    RedeemOrder,
)
from vouchers.models import IssuerCall, IssuerRedemption
from vouchers.services import issuer_outcomes

log = logging.getLogger(__name__)

Answer = RedeemAnswer | CancelAnswer


@dataclass(frozen=True, slots=True)
class Line:
    """A call with its platform and what is said there; read from the database, so that speaking needs none."""

    call: IssuerCall
    issuer: Issuer
    order: RedeemOrder | CancelOrder


def line_of(call: IssuerCall) -> Line:
    """What a call says to whom."""
    issuer, certificate = registry.by_name(call.issuer), call.voucher.external_id
    if call.kind == IssuerCall.Kind.REDEEM:
        return Line(call, issuer, RedeemOrder(call.public_id, certificate, call.uses, call.store_external_id))
    assert call.redemption_id is not None, "issuer_call_is_about_one_thing"
    redeemed = IssuerRedemption.objects.get(redemption_id=call.redemption_id)
    return Line(call, issuer, CancelOrder(call.public_id, certificate, redeemed.external_id))


def say(line: Line) -> Answer | None:
    """Tell the platform for the first time; None where it is silent."""
    return _heard(line, _say)


def ask(line: Line) -> Answer | None:
    """
    Ask what became of a call, and say it again only where the platform never heard of it.

    The repeat carries the same reference, so a first one that arrives late has no second effect.
    """
    return _heard(line, _ask)


def apply(call: IssuerCall, answer: Answer | None, *, at: datetime) -> IssuerCall:
    """Write down what the platform answered, in a transaction of its own."""
    if isinstance(answer, CancelAnswer):
        return issuer_outcomes.apply_cancel(call.pk, answer, at=at)
    return issuer_outcomes.apply_redeem(call.pk, answer, at=at)


def _say(line: Line) -> Answer:
    if isinstance(line.order, RedeemOrder):
        return line.issuer.redeem(line.order)
    return line.issuer.cancel(line.order)


def _ask(line: Line) -> Answer:
    became: Answer
    if isinstance(line.order, RedeemOrder):
        became = line.issuer.ask_redeem(line.order)
    else:
        became = line.issuer.ask_cancel(line.order)
    return _say(line) if became.state == CallState.NOT_THERE else became


def _heard(line: Line, speak: Callable[[Line], Answer]) -> Answer | None:
    assert not connection.in_atomic_block, "no network inside a transaction"
    try:
        return speak(line)
    except IssuerSilent as silence:
        log.warning("%s did not answer about %s: %s", line.call.issuer, line.call.public_id, silence)
        return None
