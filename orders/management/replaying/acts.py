"""Every real redemption, and what must be refused beside it, through the acts that people have."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from django.conf import settings

from config.kernel.errors import DomainError
from orders.management.replaying.chain import ZONE, Chain, Held
from orders.management.replaying.trace import Trace, Use
from vouchers import codes
from vouchers.models import Voucher
from vouchers.queries.answers import Redeemed
from vouchers.services.redemption import redeem, redeem_own

WALLET, COUNTER = "wallet", "counter"
A_DAY = timedelta(days=1)


@dataclass
class Answers:
    """What was answered, counted; ``wrong`` says in words where it was not what happened in the world."""

    accepted: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def expect(self, wanted: str, act: Callable[[], Redeemed], *, about: str, by: str = "") -> None:
        """``wanted`` is the refusal's code, or empty where the act must succeed."""
        try:
            act()
            got = ""
        except DomainError as refusal:
            got = refusal.code
        if got != wanted:
            self.wrong.append(f"{about}: {got or 'accepted'} instead of {wanted or 'accepted'}")
        elif wanted:
            self.refused[wanted] += 1
        else:
            self.accepted[by] += 1


class People:
    """Customers with their wallets and the clerk with her scanner, in turn."""

    def __init__(self, chain: Chain, trace: Trace) -> None:
        self._chain = chain
        self._campaigns = {campaign.name: campaign for campaign in trace.campaigns}
        self._left = Counter(trace.times_used)
        self._made_up = _codes_nobody_has(chain.brand.pk)
        self._count = 0
        self.answers = Answers()

    def use(self, use: Use) -> None:
        """
        One use as it happened, at noon and a second for each before it; first four that must not succeed.

        After a voucher's last use comes one too many, inside its window.
        """
        held, campaign = self._chain.held[use.voucher], self._campaigns[use.campaign]
        at = self._noon(use) + timedelta(seconds=self._count % 3_600)
        by = (WALLET, COUNTER)[self._count % 2]
        self._count += 1
        # The same hour on the wall of another day.
        before = at + (campaign.first_day - use.day - A_DAY)
        after = at + (campaign.last_day - use.day + A_DAY)
        about = f"{use.day} {use.household} {use.coupon} of {campaign.name}"
        tell = self.answers.expect
        tell("voucher_not_yet_valid", lambda: self._redeem(held, by, at=before), about=f"{about}, a day before")
        tell("voucher_expired", lambda: self._redeem(held, by, at=after), about=f"{about}, a day after")
        tell("voucher_not_found", lambda: self._own(held.stranger_id, held, at=at), about=f"{about}, by a stranger")
        tell("voucher_not_found", lambda: self._scan(next(self._made_up), at=at), about=f"{about}, a made-up code")
        tell("", lambda: self._redeem(held, by, at=at), about=about, by=by)
        self._left[use.voucher] -= 1
        if not self._left[use.voucher]:
            too_many = f"{about}, once too often"
            tell("voucher_already_redeemed", lambda: self._redeem(held, by, at=at), about=too_many)

    def _redeem(self, held: Held, by: str, *, at: datetime) -> Redeemed:
        return self._own(held.customer_id, held, at=at) if by == WALLET else self._scan(held.code, at=at)

    def _own(self, customer_id: UUID, held: Held, *, at: datetime) -> Redeemed:
        return redeem_own(
            customer_id=customer_id,
            voucher_ids=[held.voucher_id],
            store=self._chain.store,
            bill_fen=None,
            request_id=uuid4(),
            at=at,
        )

    def _scan(self, code: str, *, at: datetime) -> Redeemed:
        return redeem(
            codes=[code],
            bill_fen=None,
            store=self._chain.store,
            operator=self._chain.owner,
            request_id=uuid4(),
            at=at,
        )

    def _noon(self, use: Use) -> datetime:
        return datetime.combine(use.day, time(12), ZoneInfo(ZONE))


def mutations(trace: Trace) -> Counter[str]:
    """How often which refusal must come: four for every use, and one for every voucher that was used."""
    uses, vouchers = len(trace.uses), len(trace.times_used)
    return Counter(
        voucher_not_yet_valid=uses, voucher_expired=uses, voucher_not_found=2 * uses, voucher_already_redeemed=vouchers
    )


def _codes_nobody_has(brand_id: UUID) -> Iterator[str]:
    """Well-formed codes from the far end of the brand's sequence, which no grant will ever come to."""
    key = codes.key_of(secret=settings.SECRETS.voucher_code_key, brand_id=brand_id, issuer=Voucher.OWN)
    for number in range(10**codes.NUMBER_DIGITS - 1, 0, -1):
        yield from codes.codes_for(range(number, number + 1), key)
