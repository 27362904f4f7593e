"""A platform that sells vouchers of its own, with its own books: it can be slow, silent, careful and late."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import uuid4

from stores.models import Store
from tests import factories
from tests.factories import NOW
from vouchers.issuers import registry
from vouchers.issuers.interface import (
    CallState,
    CancelAnswer,
    CancelOrder,
    Certificate,
    IssuerSilent,
    RedeemAnswer,
    RedeemOrder,
    UsePrice,
)
from vouchers.models import DealTerms, IssuerAccount, IssuerDeal, IssuerStore

PRODUCT = "7300000000000000001"
WINDOW = timedelta(hours=1)

A = TypeVar("A")


@dataclass
class Sold:
    """A certificate in the platform's books: which of its uses are gone, by which redemption."""

    certificate: Certificate
    redeemed: list[str] = field(default_factory=list)


@dataclass
class FakePlatform:
    """
    ``lose_requests``: so many calls never arrive. ``lose_answers``: so many are acted on and not answered.
    ``holds_for_risk``: redemptions wait for ``decide``. ``clock`` is the platform's own.
    """

    name: str = "douyin"
    clock: datetime = NOW
    lose_requests: int = 0
    lose_answers: int = 0
    holds_for_risk: bool = False
    cancels_void: bool = False
    refuses: tuple[str, str] | None = None
    sold: dict[str, Sold] = field(default_factory=dict)
    redeems: dict[str, RedeemAnswer] = field(default_factory=dict)
    orders: dict[str, RedeemOrder] = field(default_factory=dict)
    cancels: dict[str, CancelAnswer] = field(default_factory=dict)
    heard: list[str] = field(default_factory=list)
    before_effect: Callable[[], None] = field(default=lambda: None)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def sell(self, *prices: UsePrice, code: str = "", **fields: object) -> Certificate:
        number = f"{uuid4().int % 10**18:019d}"
        certificate = Certificate(
            external_id=number,
            code=code or f"{uuid4().int % 10**15:015d}",
            order_external_id=f"o{number}",
            product_external_id=PRODUCT,
            buyer_external_id=f"buyer-{number}",
            prices=prices or (UsePrice(customer_fen=1_500, platform_fen=300, merchant_fen=200),),
            valid_from=NOW - timedelta(days=1),
            valid_until=NOW + timedelta(days=30),
        )
        certificate = replace(certificate, **fields)  # type: ignore[arg-type]
        self.sold[number] = Sold(certificate)
        return certificate

    def refund(self, certificate: Certificate) -> None:
        self.sold[certificate.external_id].certificate = replace(certificate, is_refunded=True)

    def decide(self, *, allow: bool) -> None:
        """The risk desk looks at everything that waits."""
        with self._lock:
            for reference, answer in list(self.redeems.items()):
                if answer.state == CallState.PENDING:
                    order = self.orders[reference]
                    self.redeems[reference] = self._take(order) if allow else self._no("1229", "风险核验未通过")

    # --- what Hexiao asks ---------------------------------------------------------------------------

    def certificates(self, text: str, *, account_external_id: str, store_external_id: str) -> list[Certificate]:
        return self._answer("certificates", lambda: self._named(text))

    def redeem(self, order: RedeemOrder) -> RedeemAnswer:
        return self._answer("redeem", lambda: self._redeem(order))

    def ask_redeem(self, order: RedeemOrder) -> RedeemAnswer:
        return self._answer("ask_redeem", lambda: self.redeems.get(order.reference, RedeemAnswer(CallState.NOT_THERE)))

    def cancel(self, order: CancelOrder) -> CancelAnswer:
        return self._answer("cancel", lambda: self._cancel(order))

    def ask_cancel(self, order: CancelOrder) -> CancelAnswer:
        return self._answer("ask_cancel", lambda: self.cancels.get(order.reference, CancelAnswer(CallState.NOT_THERE)))

    # --- its books ----------------------------------------------------------------------------------

    def _answer(self, name: str, act: Callable[[], A]) -> A:
        self.before_effect()
        with self._lock:
            self.heard.append(name)
            if self.lose_requests:
                self.lose_requests -= 1
                raise IssuerSilent("the request was lost")
            answer = act()
            if self.lose_answers:
                self.lose_answers -= 1
                raise IssuerSilent("the answer was lost")
        return answer

    def _named(self, text: str) -> list[Certificate]:
        return [
            sold.certificate
            for sold in self.sold.values()
            if text in (sold.certificate.code, sold.certificate.external_id, f"qr:{sold.certificate.order_external_id}")
        ]

    def _redeem(self, order: RedeemOrder) -> RedeemAnswer:
        if order.reference in self.redeems:
            return self.redeems[order.reference]
        self.orders[order.reference] = order
        if self.refuses:
            answer = self._no(*self.refuses)
        elif self.holds_for_risk:
            answer = RedeemAnswer(CallState.PENDING)
        else:
            answer = self._take(order)
        self.redeems[order.reference] = answer
        return answer

    def _take(self, order: RedeemOrder) -> RedeemAnswer:
        sold = self.sold[order.certificate_external_id]
        if sold.certificate.is_refunded:
            return self._no("1265", "含已退款的券")
        if len(sold.redeemed) + order.uses > len(sold.certificate.prices):
            return self._no("1241", "次卡次数不足")
        names = tuple(f"v{uuid4().int % 10**18:019d}" for _ in range(order.uses))
        sold.redeemed += names
        return RedeemAnswer(CallState.DONE, names, self.clock, self.clock + WINDOW)

    def _cancel(self, order: CancelOrder) -> CancelAnswer:
        if order.reference not in self.cancels:
            if self.refuses:
                self.cancels[order.reference] = CancelAnswer(
                    CallState.REFUSED, reason_code=self.refuses[0], reason=self.refuses[1]
                )
            else:
                self.sold[order.certificate_external_id].redeemed.remove(order.redemption_external_id)
                self.cancels[order.reference] = CancelAnswer(CallState.DONE, self.clock, is_void=self.cancels_void)
        return self.cancels[order.reference]

    def _no(self, code: str, reason: str) -> RedeemAnswer:
        return RedeemAnswer(CallState.REFUSED, reason_code=code, reason=reason)


@contextmanager
def connected(platform: FakePlatform) -> Iterator[FakePlatform]:
    """The platform's adapter is there."""
    registry.KNOWN[platform.name] = platform
    try:
        yield platform
    finally:
        del registry.KNOWN[platform.name]


def honoured_at(store: Store, platform: FakePlatform, *, terms: DealTerms | None = None) -> DealTerms:
    """The brand has an account there, the store a name, and the product a deal."""
    terms = terms or factories.terms(factories.deal(store.brand))
    account = {"brand": store.brand, "issuer": platform.name}
    IssuerAccount.objects.create(**account, external_id=f"account-{uuid4().hex[:8]}", created_at=NOW)
    IssuerStore.objects.create(store=store, issuer=platform.name, external_id=f"poi-{uuid4().hex[:8]}")
    IssuerDeal.objects.create(**account, external_id=PRODUCT, terms=terms, created_at=NOW)
    return terms
