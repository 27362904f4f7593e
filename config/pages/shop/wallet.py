"""The wallet: her vouchers, each as a ticket with its code, what it is good for and what giving it back returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.http import HttpResponse
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_http_methods, require_safe

from config.kernel.errors import DomainError
from config.kernel.ids import parse
from config.pages.design.words import say
from config.pages.shop.frame import Visit, for_customers, key_of
from config.pages.shop.questions import questions_of
from orders.queries.timelines import timeline_of
from orders.services import refunds
from vouchers import qr
from vouchers.models import DealTerms, Voucher
from vouchers.queries import terms, wallet
from vouchers.queries.wallet import VoucherDetail
from vouchers.queries.words import rules_of
from vouchers.verdict import Rule, Terms, valid_until_of

Status = Voucher.Status
USABLE = (Status.ISSUED, Status.HELD)
SOON = timedelta(days=3)
MOST_SHOWN = 100
NEW_CODE_SECONDS = 30
"""A code is good for twice as long: one that is read as it changes still works."""
ON_THE_TICKET = ("store_scope", "product_scope", "min_spend", "day_spans", "weekdays")


@dataclass(frozen=True)
class Held:
    """A voucher as a list or a ticket shows it."""

    voucher: Voucher
    terms: Terms
    valid_until: datetime
    now: datetime

    @property
    def last_moment(self) -> datetime:
        """``valid_until`` is exclusive; people read the last minute it is good for."""
        return (self.valid_until - timedelta(minutes=1)).astimezone(ZoneInfo(self.terms.zone))

    @property
    def last_clock(self) -> str:
        return self.last_moment.strftime("%H:%M")

    @property
    def is_usable(self) -> bool:
        return self.voucher.status == Status.ISSUED and self.valid_until > self.now

    @property
    def is_over(self) -> bool:
        return self.voucher.status not in USABLE or self.valid_until <= self.now

    @property
    def ends_soon(self) -> bool:
        return self.is_usable and self.valid_until - self.now <= SOON

    @property
    def status_word(self) -> str:
        if self.voucher.status == Status.ISSUED and self.valid_until <= self.now:
            return "voucher.expired"
        return f"voucher.{self.voucher.status}"


@require_safe
@for_customers
def vouchers(visit: Visit) -> HttpResponse:
    """What can be used first, those that end first on top; then what is over."""
    hers = wallet.vouchers_of(visit.customer_id).filter(brand=visit.brand)
    usable = _held(visit, list(hers.filter(status__in=USABLE).order_by("valid_until", "id")[:MOST_SHOWN]))
    over = _held(visit, list(hers.exclude(status__in=USABLE).order_by("-issued_at", "-id")[:20]))
    shown = [one for one in usable if not one.is_over]
    gone = [*(one for one in usable if one.is_over), *over]
    return visit.page("wallet.html", {"tab": "wallet", "usable": shown, "over": gone})


@require_safe
@for_customers
def ticket(visit: Visit, voucher: str) -> HttpResponse:
    found = _detail(visit, voucher)
    rules = {rule.name: rule for rule in rules_of(found.terms)}
    siblings = wallet.vouchers_of(visit.customer_id, statuses=[Status.ISSUED]).filter(brand=visit.brand)
    places = list(siblings.order_by("valid_until", "id").values_list("id", flat=True)[:MOST_SHOWN])
    context = {
        "tab": "wallet",
        "held": _held_of(visit, found.voucher, found.terms),
        "detail": found,
        "rules": [rules[name] for name in _on_the_ticket(found.terms) if name in rules][:4],
        "place": places.index(found.voucher.id) + 1 if found.voucher.id in places else 0,
        "count": len(places),
        **_code(visit, found.voucher),
    }
    return visit.page("ticket.html", context)


@require_safe
@for_customers
def code(visit: Visit, voucher: str) -> HttpResponse:
    """The next QR code; where the voucher has been used meanwhile, word of that in its place."""
    found = wallet.detail(visit.customer_id, parse(Voucher.PREFIX, voucher), at=visit.at)
    return visit.page("ticket_code.html", {"voucher": found.voucher, **_code(visit, found.voucher)})


@require_safe
@for_customers
def rules(visit: Visit, voucher: str) -> HttpResponse:
    """Every rule, the questions people ask, and what has happened to it so far."""
    found = _detail(visit, voucher)
    said: Sequence[Rule] = rules_of(found.terms)
    context = {
        "tab": "wallet",
        "held": _held_of(visit, found.voucher, found.terms),
        "rules": said,
        "questions": questions_of(found.terms, said),
        "timeline": [
            (happening.at, happening.sentence(visit.language))
            for happening in timeline_of(found.voucher)
            if happening.kind != "settled"  # the brand's and the store's own business
        ],
    }
    return visit.page("rules.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@for_customers
def refund(visit: Visit, voucher: str) -> HttpResponse:
    """What comes back, asked once; then it is gone at once and the money is on its way."""
    found = _detail(visit, voucher)
    if visit.request.method == "POST":
        try:
            answer = refunds.request_refund(
                voucher_id=found.voucher.id,
                customer_id=visit.customer_id,
                request_id=key_of(visit.request),
                at=visit.at,
            )
        except DomainError as refusal:
            visit.tell_refusal(refusal)
        else:
            fen = answer.request.amount_fen
            visit.tell(say("refund.done", visit.language, yuan=f"{fen / 100:.2f}"), "done")
        return visit.go("ticket", found.voucher.public_id)
    if found.refund_now.refusal is not None:
        visit.tell_refusal(found.refund_now.refusal)
        return visit.go("ticket", found.voucher.public_id)
    context = {"tab": "wallet", "held": _held_of(visit, found.voucher, found.terms), "detail": found}
    return visit.page("refund.html", context)


def _detail(visit: Visit, public_id: str) -> VoucherDetail:
    """
    Raises:
        VoucherNotFound: not there, or not hers.
    """
    return wallet.detail(visit.customer_id, parse(Voucher.PREFIX, public_id), at=visit.at)


def _on_the_ticket(of: Terms) -> Sequence[str]:
    """That dearer stores are like others is said on the page of all rules."""
    return (*ON_THE_TICKET, "dearer_stores") if of.dearer_stores != DealTerms.DearerStores.INCLUDED else ON_THE_TICKET


def _held(visit: Visit, found: list[Voucher]) -> list[Held]:
    known = terms({voucher.terms_id for voucher in found})
    return [_held_of(visit, voucher, known[voucher.terms_id]) for voucher in found]


def _held_of(visit: Visit, voucher: Voucher, of: Terms) -> Held:
    return Held(voucher, of, valid_until_of(voucher, of), visit.at)


def _code(visit: Visit, voucher: Voucher) -> dict[str, object]:
    """A fresh QR code, or why there is none."""
    try:
        hers = wallet.showable(visit.customer_id, voucher.id, at=visit.at)
    except DomainError as refusal:
        return {"no_code": refusal}
    token = qr.token_for(brand_id=hers.brand_id, code=hers.code, at=visit.at)
    return {
        "qr": mark_safe(qr.as_svg(token.text)),  # noqa: S308 - drawn here, out of a token of our own
        "new_code_at": visit.at + timedelta(seconds=NEW_CODE_SECONDS),
    }
