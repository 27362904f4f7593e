"""The live page: what is on sale now, bought in one tap; and what became of the purchase."""

from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from config.accounts import tokens
from config.kernel.errors import DomainError
from config.kernel.ids import parse, public
from config.pages.shop.frame import Visit, for_customers, key_of, open_to_all
from config.pages.shop.questions import Question, questions_of
from livestream import answers, queries
from livestream.models import LiveSession
from livestream.queries import Stage
from livestream.services.buying import Buy, buy
from orders.errors import PurchaseNotFound
from orders.models import Payment, Purchase
from orders.services.payments import payable_until
from stores.models import Store
from stores.services.theming import SECTIONS
from vouchers.models import Deal, Offer, Voucher
from vouchers.queries import terms, wallet
from vouchers.queries.words import rules_of
from vouchers.verdict import Rule, Terms

FEW_LEFT = 100
MOST_PROMOTER = 32
PROMOTER = "shop.promoter"
"""Whose link brought her, for as long as this browser's session: she may look around before she buys."""
PAGE_TOKEN_SECONDS = 2 * 60 * 60
NOT_OVER = (Purchase.Status.ACCEPTED, Purchase.Status.PAID, Purchase.Status.ISSUED)


@dataclass(frozen=True)
class Card:
    """One listing as its card shows it; ``state`` decides what its button says."""

    listing: answers.LiveListing
    terms: Terms
    state: str
    sold_percent: int
    is_few: bool
    drawing: str
    hers: int
    opens_clock: str
    key: str
    promoter: str

    @property
    def left_figure(self) -> str:
        return f"{self.listing.left:,}"

    @property
    def saves_fen(self) -> int:
        return max(0, self.listing.list_price_fen - self.listing.unit_price_fen)


@require_safe
@open_to_all
def live(visit: Visit) -> HttpResponse:
    """The brand's livestream, or its shelf where none is on."""
    stage = queries.stage()
    on = _session_on(visit, stage)
    if on is None:
        return visit.page("quiet.html", {"tab": "live"})
    return visit.page("live.html", {"tab": "live", **_shown(visit, stage, on)})


@require_safe
@open_to_all
def listings(visit: Visit) -> HttpResponse:
    """The cards alone: asked for again when a sale begins, pauses, sells out or ends."""
    stage = queries.stage()
    on = _session_on(visit, stage)
    shown = _shown(visit, stage, on) if on else {"cards": []}
    return visit.page("listings.html", shown)


@require_safe
@open_to_all
def deal(visit: Visit, listing: str) -> HttpResponse:
    """Everything about one listing before it is bought: its parts, every rule, the questions people ask."""
    stage = queries.stage()
    on = _session_on(visit, stage)
    cards = _shown(visit, stage, on)["cards"] if on else []
    card = next((one for one in cards if one.listing.listing == listing), None)
    if card is None:
        raise Http404
    rules: list[Rule] = rules_of(card.terms)
    asked: list[Question] = questions_of(card.terms, rules)
    return visit.page(
        "deal.html",
        {"tab": "live", "card": card, "rules": rules, "questions": asked, "session": on, "token": _token(visit)},
    )


@require_POST
@for_customers
def buy_one(visit: Visit, session: str) -> HttpResponse:
    """Buy at the price and by the rules that she was shown. The form's key makes two taps one purchase."""
    form = visit.request.POST
    try:
        wanted = Buy(
            offer=form.get("offer", ""),
            unit_price_fen=int(form.get("unit_price_fen", "")),
            terms_number=int(form.get("terms_number", "")),
            promoter=form.get("promoter", "")[:MOST_PROMOTER],
        )
    except ValueError:
        raise Http404 from None
    try:
        sold = buy(
            wanted,
            session_id=parse(LiveSession.PREFIX, session),
            brand_id=visit.brand.id,
            customer_id=visit.customer_id,
            request_id=key_of(visit.request),
            at=visit.at,
        )
    except DomainError as refusal:
        visit.tell_refusal(refusal)
        return visit.go("live")
    purchase = Purchase(id=sold.purchase_id)
    if sold.status == Purchase.Status.ACCEPTED:
        return visit.go("pay", Payment(id=sold.payment_id).public_id)
    return visit.go("purchase", purchase.public_id)


@require_safe
@for_customers
def purchase(visit: Visit, purchase: str) -> HttpResponse:
    """It's yours: paid, being issued, in the wallet; or not paid yet, or over. Asks by itself until it is settled."""
    found = Purchase.objects.filter(
        pk=parse(Purchase.PREFIX, purchase), customer_id=visit.customer_id, brand_id=visit.brand.id
    ).first()
    if found is None:
        raise PurchaseNotFound
    payment = Payment.objects.filter(purchase=found).order_by("created_at", "id").last()
    assert payment is not None, "a purchase comes with its payment"
    vouchers = Voucher.objects.filter(source_kind=Voucher.Source.PURCHASE, source_id=found.id).order_by("ordinal")
    is_paying = "paid" in visit.request.GET
    context = {
        "tab": "wallet",
        "purchase": found,
        "payment": payment,
        "title": terms([found.terms_id])[found.terms_id].title,
        "pay_until": payable_until(found.accepted_at),
        "vouchers": list(vouchers) if found.status == Purchase.Status.ISSUED else [],
        "is_waiting": found.status == Purchase.Status.PAID
        or (found.status == Purchase.Status.ACCEPTED and is_paying and visit.at < payable_until(found.accepted_at)),
        "asks_again": f"{visit.request.path}{'?paid' if is_paying else ''}",
    }
    return visit.page("purchase.html", context)


def promoter_of(visit: Visit) -> str:
    session = visit.request.session
    if (link := visit.request.GET.get("from", "")[:MOST_PROMOTER]) and session.get(PROMOTER) != link:
        session[PROMOTER] = link
    return str(session.get(PROMOTER, ""))


def _usable(visit: Visit) -> int:
    if visit.customer is None:
        return 0
    hers = wallet.vouchers_of(visit.customer.id, statuses=[Voucher.Status.ISSUED])
    return hers.filter(brand=visit.brand, valid_until__gt=visit.at).count()


def _token(visit: Visit) -> str:
    """
    What the page's own purchases are signed in with at the lane, which knows no cookie.

    It is on a page of hers alone that nothing keeps, and where it is over the form goes to the site instead.
    """
    if visit.customer is None:
        return ""
    hers = {"customer_id": visit.customer.id, "brand_id": visit.brand.id}
    return tokens.sign_customer(**hers, at=visit.at, seconds=PAGE_TOKEN_SECONDS).text


def _session_on(visit: Visit, stage: Stage) -> LiveSession | None:
    """The livestream before the shelf, the later before the earlier."""
    on = [session_id for session_id, session in stage.sessions.items() if session.brand_id == visit.brand.id]
    return LiveSession.objects.filter(id__in=on).order_by("is_standing", "-starts_at", "-id").first()


def _shown(visit: Visit, stage: Stage, session: LiveSession) -> dict[str, Any]:
    page = answers.page(stage, session.id, stage.listings_of(session.id), at=visit.at)
    offers = {listing.offer.id: listing.offer.terms_id for listing in stage.listings_of(session.id)}
    known = terms(set(offers.values()))
    of_offer = {public(Offer.PREFIX, offer): known[terms_id] for offer, terms_id in offers.items()}
    hers = _bought(visit, list(offers))
    cards = [_card(visit, listing, of_offer[listing.offer], hers) for listing in page.listings]
    return {
        "session": session,
        "token": _token(visit),
        "wallet_count": _usable(visit),
        "is_paused": page.state == LiveSession.State.PAUSED,
        "cards": cards,
        "sections": visit.brand.theme.get("sections", SECTIONS),
        "can_refund": bool(cards) and all(card.terms.refundable_unused for card in cards),
        "refunds_on_expiry": bool(cards) and all(card.terms.refunds_on_expiry for card in cards),
        "store_count": Store.objects.filter(brand=visit.brand, status=Store.Status.OPEN).count(),
        "questions": questions_of(cards[0].terms, rules_of(cards[0].terms)) if cards else [],
    }


def _card(visit: Visit, listing: answers.LiveListing, of: Terms, hers: Counter[UUID]) -> Card:
    left, sold = listing.left, listing.sold
    state = listing.state
    if state == "open":
        if visit.at < listing.opens_at:
            state = "later"
        elif listing.closes_at is not None and visit.at >= listing.closes_at:
            state = "closed"
        elif left <= 0:
            state = "gone"
    return Card(
        listing=listing,
        terms=of,
        state=state,
        sold_percent=min(100, 100 * sold // max(sold + left, 1)),
        is_few=0 < left < FEW_LEFT,
        drawing=DRAWINGS[Deal.Kind(of.kind)],
        hers=hers[parse(Offer.PREFIX, listing.offer)],
        promoter=promoter_of(visit),
        opens_clock=listing.opens_at.astimezone(ZoneInfo(visit.brand.zone)).strftime("%H:%M"),
        key=str(uuid4()),
    )


DRAWINGS = {
    Deal.Kind.CASH: "note",
    Deal.Kind.DISCOUNT: "note",
    Deal.Kind.TIMES_CARD: "milk",
    Deal.Kind.PACKAGE: "fruit",
    Deal.Kind.BUNDLE: "pair",
}


def _bought(visit: Visit, offers: list[UUID]) -> Counter[UUID]:
    """How many she has of each offer, so that a card can say that it is hers already."""
    if visit.customer is None:
        return Counter()
    rows = Purchase.objects.filter(customer_id=visit.customer.id, offer_id__in=offers, status__in=NOT_OVER)
    hers: Counter[UUID] = Counter()
    for offer_id, quantity in rows.values_list("offer_id", "quantity"):
        hers[offer_id] += quantity
    return hers
