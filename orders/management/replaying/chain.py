"""The chain that plays the grocer: a brand of its own, one store, and each campaign's coupons as granted vouchers."""

import secrets
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from config.accounts.models import User
from config.kernel.caller import Caller, CallerKind
from orders.management.replaying.trace import Campaign, Trace
from stores.models import Brand, CustomerIdentity, Store
from stores.services import brands, opening
from stores.services.opening import NewStore
from stores.services.people import NewPerson
from vouchers.models import Deal, DealTerms, GrantBatch, Voucher
from vouchers.services import deals, grants
from vouchers.services.deals import NewTerms
from vouchers.services.grant_issuing import issue_granted
from vouchers.services.grants import Audience

SLUG = "replay"
ZONE = "America/New_York"
WORTH_FEN = 100
"""What a coupon takes off: the trace does not say."""
INSTALLER = Caller(kind=CallerKind.OPERATOR, id=None)


@dataclass(frozen=True)
class Held:
    """A voucher that the trace will use."""

    voucher_id: UUID
    code: str
    customer_id: UUID
    stranger_id: UUID
    """Somebody else whom the campaign reached."""


@dataclass
class Chain:
    """``held`` are the vouchers of campaigns that have begun and that the trace will use, by its own names."""

    brand: Brand
    store: Store
    owner: User
    held: dict[tuple[str, str, str], Held] = field(default_factory=dict)
    _deals: dict[str, Deal] = field(default_factory=dict)

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time.min, ZoneInfo(ZONE))

    def grant(self, campaign: Campaign, trace: Trace) -> None:
        """
        Every household of the campaign gets a book of its coupons, a voucher each, on the first day.

        A voucher has as many uses as the trace makes of it, and one where it makes none.
        """
        at = self.midnight(campaign.first_day)
        once = {coupon: self._publish(coupon, campaign, at=at) for coupon in campaign.coupons}
        books: defaultdict[tuple[tuple[str, int], ...], list[str]] = defaultdict(list)
        for household in campaign.households:
            used = ((coupon, trace.times_used[campaign.name, household, coupon]) for coupon in campaign.coupons)
            books[tuple((coupon, times) for coupon, times in used if times > 1)].append(household)
        terms: dict[tuple[str, str], DealTerms] = {}
        for number, (several, households) in enumerate(sorted(books.items()), start=1):
            of_book = once | {coupon: self._publish(coupon, campaign, uses=times, at=at) for coupon, times in several}
            terms |= {(household, coupon): of_book[coupon] for household in households for coupon in of_book}
            book = self._book(f"{campaign.name}-{number}", campaign, list(of_book.values()), at=at)
            grants.grant(
                terms=book,
                audience=Audience(external_ids=households),
                per_customer=1,
                reason=f"campaign {campaign.name}",
                request_id=uuid4(),
                by=INSTALLER,
                at=at,
            )
        while GrantBatch.objects.filter(brand=self.brand, state=GrantBatch.State.PENDING).exists():
            issue_granted(at=at)
        self._remember(campaign, trace, terms)

    def _remember(self, campaign: Campaign, trace: Trace, terms: dict[tuple[str, str], DealTerms]) -> None:
        wanted = [(household, coupon) for name, household, coupon in trace.times_used if name == campaign.name]
        reached = CustomerIdentity.objects.filter(brand=self.brand, external_id__in=campaign.households)
        customers = dict(reached.values_list("external_id", "customer_id"))
        found = Voucher.objects.filter(
            customer_id__in={customers[household] for household, _ in wanted},
            terms_id__in={terms[key].pk for key in wanted},
        )
        rows = found.values_list("customer_id", "terms_id", "pk", "code")
        by_key = {(customer_id, terms_id): (pk, code) for customer_id, terms_id, pk, code in rows}
        for household, coupon in wanted:
            voucher_id, code = by_key[customers[household], terms[household, coupon].pk]
            stranger = next(customers[one] for one in campaign.households if one != household)
            self.held[campaign.name, household, coupon] = Held(voucher_id, code, customers[household], stranger)

    def _publish(self, coupon: str, campaign: Campaign, *, uses: int = 1, at: datetime) -> DealTerms:
        name = coupon if uses == 1 else f"{coupon}-{uses}"
        kind = Deal.Kind.CASH if uses == 1 else Deal.Kind.TIMES_CARD
        return self._terms(
            name,
            kind,
            campaign,
            NewTerms(
                title=f"Coupon {coupon}",
                list_price_fen=WORTH_FEN * uses,
                use_list_fen=[WORTH_FEN] * uses,
                face_value_fen=WORTH_FEN if uses == 1 else None,
                usable_from=self.midnight(campaign.first_day),
                usable_until=self._end(campaign),
            ),
            at=at,
        )

    def _book(self, name: str, campaign: Campaign, children: list[DealTerms], *, at: datetime) -> DealTerms:
        return self._terms(
            f"book-{name}",
            Deal.Kind.BUNDLE,
            campaign,
            NewTerms(
                title=f"Campaign {name}",
                list_price_fen=sum(child.list_price_fen for child in children),
                bundle_children=[{"terms": child.public_id, "count": 1} for child in children],
                usable_from=self.midnight(campaign.first_day),
                usable_until=self._end(campaign),
            ),
            at=at,
        )

    def _terms(self, name: str, kind: Deal.Kind, campaign: Campaign, new: NewTerms, *, at: datetime) -> DealTerms:
        if name not in self._deals:
            self._deals[name] = deals.create(
                brand_id=self.brand.pk, out_id=name, kind=kind, name=new.title, total=0, by=INSTALLER, at=at
            ).row
        return deals.publish_terms(deal=self._deals[name], new=new, by=INSTALLER, at=at).row

    def _end(self, campaign: Campaign) -> datetime:
        return self.midnight(campaign.last_day + timedelta(days=1))


def open_chain(*, at: datetime) -> Chain:
    """A brand that no replay has used, its owner, who stands at the counter, and its one store."""
    slug = _free_slug()
    owner = NewPerson(f"owner@{slug}", secrets.token_urlsafe(12))
    opened = brands.open_brand(slug=slug, name="Complete Journey", owner=owner, by=INSTALLER, at=at, zone=ZONE)
    store = opening.open_store(
        brand_id=opened.brand.pk, new=NewStore(code="1", name="The only store"), by=INSTALLER, at=at
    ).row
    return Chain(opened.brand, store, opened.owner)


def _free_slug() -> str:
    taken = set(Brand.objects.filter(slug__startswith=SLUG).values_list("slug", flat=True))
    names = (SLUG if number == 1 else f"{SLUG}-{number}" for number in range(1, 100_000))
    return next(name for name in names if name not in taken)
