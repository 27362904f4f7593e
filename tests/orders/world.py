"""A little world with every kind of fact in it, whose books agree: what the audit is tried on."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.db import connection, transaction

from config.kernel import audit
from config.kernel.caller import MACHINE
from orders.models import AfterSaleCase as Case
from orders.models import LedgerTransfer, Payment, Purchase, Refund, StoreOrder, Surcharge
from orders.providers.interface import EventKind, NoticeEvent
from orders.services import (
    cases,
    month_close,
    notices,
    order_moves,
    order_undoing,
    recalls,
    refund_finishing,
    settling,
    settling_cash,
    surcharges,
)
from orders.services.cases import Complaint
from orders.services.issuing import issue_paid
from orders.services.ledger import Posting, post
from orders.services.refunds import refund_expired, request_refund
from orders.services.surcharges import Extra
from stores.models import Brand, Product, Store
from stores.services import consuming, opening, stock_acts, stock_settling, stock_transfers
from tests import factories
from tests.factories import NOW
from tests.orders import billed, invoiced, ordering, paid, paying_out, settled
from tests.stores import stocked
from tests.vouchers import counters, fake_platform, granted
from tests.vouchers.counters import Counter
from tests.vouchers.fake_platform import FakePlatform
from vouchers.issuers.interface import CallState, CancelAnswer, RedeemAnswer
from vouchers.models import IssuerCall, Offer, Redemption, RedemptionRequest, Voucher
from vouchers.queries.answers import Redeemed
from vouchers.services import grants, holds, issuer_import, issuer_outcomes
from vouchers.services.expiry import expire_due
from vouchers.services.grant_reversal import reverse_granted
from vouchers.services.redemption import redeem_own
from vouchers.services.reversal import reverse
from vouchers.settlement import Fault

LATER = NOW + timedelta(minutes=10)
IN_THREE_DAYS = NOW + timedelta(days=3)
IN_JULY = NOW + timedelta(days=31)


@dataclass
class World:
    """One brand; ``redeemed`` is the purchase with one voucher redeemed and one left."""

    redeemed: Purchase


def build() -> World:
    """
    Purchases unpaid, closed, paid, issued and paid twice; uses redeemed, undone, refunded, and expired:
    kept, owed back, and on their way back.
    """
    brand = factories.brand()

    def offer(**terms: Any) -> Offer:
        return factories.offer(factories.terms(factories.deal(brand), **terms))

    lasting, short = offer(), offer(usable_days=1)
    redeemed, used_by_her = paid.purchase(offer=lasting, quantity=2), paid.purchase(offer=lasting)
    held, used = paid.purchase(offer=lasting), paid.purchase(offer=lasting)
    undone, refunded = paid.purchase(offer=lasting), paid.purchase(offer=lasting)
    paid.purchase(offer=offer(usable_days=1, refunds_on_expiry=False))
    for _ in range(2):
        paid.purchase(offer=short)
    children = [(factories.terms(factories.deal(brand)), 2), (factories.terms(factories.deal(brand)), 1)]
    paid.purchase(offer=factories.offer(factories.bundle(brand, *children), price_fen=3_000))
    divided = paid.purchase(
        offer=offer(settlement_rules=settled.FEE_OF_2_PERCENT),
        promoter_id=factories.promoter(brand).pk,
        promoter_rate_bps=600,
        provider_rate_bps=200,
    )
    closing = factories.store(brand)
    paid.purchase(offer=offer(store_scope={"stores": [closing.public_id]}), quantity=2)
    tea = factories.product(brand)
    taking, not_taking = (paid.purchase(offer=_package(brand, tea)) for _ in range(2))
    issue_paid(limit=20, at=NOW)
    paid.purchase(offer=lasting)
    paid.purchase(offer=lasting, status="accepted", paid_at=None)
    paid.purchase(offer=lasting, status="closed", paid_at=None, closed_at=NOW)

    counter = counters.counter(brand=brand)
    counter.redeem(Voucher.objects.get(source_id=redeemed.pk, ordinal=1).code)
    _use_herself(counter, used_by_her)
    _surcharges(counter, counter.redeem(Voucher.objects.get(source_id=undone.pk).code))
    again = Redemption.objects.get(voucher__source_id=undone.pk)
    reverse(redemption_id=again.pk, operator=counter.clerk, request_id=uuid4(), at=LATER)
    _refund(Voucher.objects.get(source_id=refunded.pk))
    _order(counter, held, used)
    _over_the_counter(counter, tea, taking, not_taking)
    _give_away(counter)
    _sold_by_a_platform(counter)
    _recall(closing)
    expire_due(limit=10, at=IN_THREE_DAYS)
    refund_expired(limit=1, at=IN_THREE_DAYS)
    _settle(counter, divided)
    with transaction.atomic():
        _pay_again(redeemed)
        leave_trail_of_captures()
    billed.a_closed_day(brand)
    paying_out.paid_and_refused(brand)
    return World(redeemed=redeemed)


def _use_herself(counter: Counter, purchase: Purchase) -> None:
    hers = Voucher.objects.get(source_id=purchase.pk)
    redeem_own(
        customer_id=hers.customer_id,
        voucher_ids=[hers.pk],
        store=counter.store,
        bill_fen=None,
        request_id=uuid4(),
        at=NOW,
    )


def _surcharges(counter: Counter, undone: Redeemed) -> None:
    """
    Beyond a use that is about to be undone: paid by QR, paid at the till, and not paid. Beyond one that stays: both
    ways paid, one of them twice. One of those that will go back is back already at the end of the story.
    """
    kept = Redemption.objects.filter(reversed_at__isnull=True).exclude(pk=undone.uses[0].redemption_id).earliest("pk")
    for redemption_id in (undone.uses[0].redemption_id, kept.pk):
        for ask, provider in ((surcharges.ask_by_qr, {"provider": "sandbox"}), (surcharges.record_at_till, {})):
            ask(
                redemption_id=redemption_id,
                extra=Extra(reason="大杯", amount_fen=500),
                operator_id=counter.clerk.pk,
                request_id=uuid4(),
                at=NOW,
                **provider,
            )
    for number, surcharge in enumerate(Surcharge.objects.filter(way="provider")):
        pay_surcharge(surcharge, f"sbx_{number}")
        pay_surcharge(surcharge, f"sbx_again_{number}")
    surcharges.ask_by_qr(
        redemption_id=kept.pk,
        extra=Extra(reason="加料", amount_fen=200),
        provider="sandbox",
        operator_id=counter.clerk.pk,
        request_id=uuid4(),
        at=NOW,
    )


def pay_surcharge(surcharge: Surcharge, transaction_: str, *, at: datetime = NOW, **fields: Any) -> None:
    """The provider tells that it took the money."""
    event = NoticeEvent(
        provider="sandbox",
        event_id=f"evt_{transaction_}",
        kind=EventKind.PAYMENT_CAPTURED,
        reference=surcharge.public_id,
        provider_reference=transaction_,
        **{"amount_fen": surcharge.amount_fen, "currency": "CNY", "occurred_at": at, **fields},
    )
    notices.store_notices([event], at=at)
    notices.apply_notices(limit=10, at=at)


def _give_away(counter: counters.Counter) -> None:
    """A grant to two customers, one of whom had used hers when it was reversed; and one that waits."""
    both = [factories.customer(counter.brand) for _ in range(2)]
    made = granted.grant(counter.terms(), granted.to(*both), by=granted.staff(counter.clerk))
    granted.issue_all()
    counter.redeem(granted.vouchers_of(made)[0].code)
    grants.reverse(grant=made, request_id=uuid4(), by=granted.staff(counter.clerk), at=LATER)
    reverse_granted(at=LATER)
    granted.grant(counter.terms(), granted.to(*both), by=granted.staff(counter.clerk))


def _recall(store: Store) -> None:
    """The one store of some terms closes; of the two vouchers that are open on them one is given back, one waits."""
    opening.close(store_id=store.pk, reason="租约到期", by=MACHINE, at=LATER)
    recalls.refund_recalled(limit=1, at=LATER)


def corrupt(statements: str) -> None:
    """
    Change rows behind the back of every guard but the one that is to notice.

    Triggers sleep for the session's role "replica"; a constraint in the way is dropped by the
    statements themselves. All of it ends with the test's transaction.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET LOCAL session_replication_role = replica")
        cursor.execute(statements)
        cursor.execute("SET LOCAL session_replication_role = origin")


def _settle(counter: Counter, divided: Purchase) -> None:
    """
    Everybody is paid for what was drunk; one use is refunded after all, in two parts, and the month is closed.
    """
    kept = Voucher.objects.get(source_id=divided.pk)
    counter.redeem(kept.code)
    ordering.move(counter, ordering.pay(ordering.place(counter)), "accept", "begin_making", "ready", at=LATER)
    settling.settle_uses(at=IN_THREE_DAYS)
    settling_cash.settle_surcharges(at=IN_THREE_DAYS)
    settling_cash.settle_order_cash(at=IN_THREE_DAYS)
    invoiced.may_sell(counter.entity)
    for amount_fen, fault in ((300, Fault.STORE), (200, Fault.BRAND)):
        settled.refunded(Redemption.objects.get(voucher=kept), amount_fen, fault=fault, at=IN_THREE_DAYS)
    invoiced.asked(Redemption.objects.get(voucher=kept), at=IN_THREE_DAYS)
    invoiced.asked(StoreOrder.objects.get(settled_at__isnull=False), invoiced.HER_COMPANY, at=IN_THREE_DAYS)
    complaint = Complaint(Redemption.objects.get(voucher=kept).pk, "洒了", Case.Fault.STORE, Case.Outcome.REFUND, 100)
    opened = {"may_approve": True, "request_id": uuid4(), "by": MACHINE, "at": IN_THREE_DAYS}
    cases.open_case(brand_id=counter.brand.pk, complaint=complaint, **opened)
    again = replace(complaint, fault=Case.Fault.BRAND, outcome=Case.Outcome.REMAKE, amount_fen=None)
    cases.open_case(brand_id=counter.brand.pk, complaint=again, **{**opened, "request_id": uuid4()})
    month_close.close_month(brand_id=counter.brand.pk, month=date(2026, 6, 1), by=MACHINE, at=IN_JULY)


def _refund(voucher: Voucher) -> None:
    """Asked for, and paid out by the provider."""
    refund = request_refund(
        voucher_id=voucher.pk, customer_id=voucher.customer_id, request_id=uuid4(), at=LATER
    ).request.refund
    assert refund is not None
    pay_out(refund, at=LATER)


def _order(counter: Counter, kept: Purchase, used: Purchase) -> None:
    """
    Orders at a store: one waits for its money, one used a voucher and is ready, one was paid half in cash and
    rejected, one lapsed; their cups counted or limited a day.
    """
    waiting, mine = (Voucher.objects.get(source_id=purchase.pk) for purchase in (kept, used))
    counted, limited = (stocked.keep(counter.store, mode) for mode in ("counted", "daily_limit"))
    stocked.made_of(counter.store, counted, at=NOW - timedelta(days=1))
    half = [(waiting, 1, ordering.CUP_FEN)]
    ordering.place(counter, ordering.priced((counted, 2), (limited, 3), uses=half))
    plain = ordering.priced((counted, 1), uses=[(mine, 1, ordering.CUP_FEN)])
    stands_in = replace(plain.lines[0], instead_of_id=limited.id, instead_of_name=limited.name)
    made = ordering.place(counter, replace(plain, lines=(stands_in,))).order
    ordering.move(counter, made, "accept", "begin_making", "ready", at=LATER)
    paid_order = ordering.pay(ordering.place(counter, ordering.priced((counted, 1), (limited, 1))))
    order_moves.reject(order_id=paid_order.id, reason="停电", at=LATER, **ordering.by_clerk(counter))
    lapsed = ordering.place(counter, ordering.priced((limited, 1)))
    with transaction.atomic():
        order_undoing.lapse(lapsed.order, at=LATER)
        Payment.objects.filter(store_order=lapsed.order).update(status="closed")
        audit.record(
            act="store_orders.lapsed", actor_kind="machine", actor_id=None, subject_kind="store_order", at=LATER
        )


def _package(brand: Brand, product: Product) -> Offer:
    groups = [{"name": "主饮", "choose": 1, "items": [{"product": product.public_id, "count": 1}]}]
    return factories.offer(factories.terms(factories.deal(brand, kind="package"), package_groups=groups))


def _over_the_counter(counter: Counter, product: Product, *bought: Purchase) -> None:
    """Two packages of a counted product, settled as the ready order is; more of it comes, and some is on the road."""
    stocked.keep(counter.store, "counted", product=product)
    stocked.made_of(counter.store, product)
    for purchase in bought:
        counter.redeem(Voucher.objects.get(source_id=purchase.pk).code)
    stock_settling.settle(at=LATER)
    consuming.consume(at=LATER)
    stock_acts.receive_goods(stocked.asked(counter.store, {product: 5}))
    stock_transfers.send_goods(stocked.asked(counter.store, {product: 2}), factories.store(counter.brand).pk)
    kept, undone = (Redemption.objects.get(voucher__source_id=purchase.pk) for purchase in bought)
    remade = Complaint(kept.pk, "洒了", Case.Fault.BRAND, Case.Outcome.REMAKE)
    opened = {"may_approve": True, "request_id": uuid4(), "by": MACHINE, "at": LATER}
    cases.open_case(brand_id=counter.brand.pk, complaint=remade, **opened)
    stock_settling.settle(at=LATER)
    consuming.consume(at=LATER)
    reverse(redemption_id=undone.pk, operator=counter.clerk, request_id=uuid4(), at=LATER)


def _sold_by_a_platform(counter: Counter) -> None:
    """One use redeemed, one undone, one that the platform has not decided and one that it refused."""
    platform = FakePlatform()
    fake_platform.honoured_at(counter.store, platform)
    sold = [platform.sell() for _ in range(4)]
    vouchers = issuer_import.take_in(brand_id=counter.brand.pk, issuer="douyin", certificates=sold, at=NOW)
    done, undone, waiting, refused = (called(counter, voucher) for voucher in vouchers)
    for number, call in enumerate((done, undone)):
        answer = RedeemAnswer(CallState.DONE, (f"v{number}",), NOW, NOW + timedelta(hours=1))
        issuer_outcomes.apply_redeem(call.pk, answer, at=NOW)
    issuer_outcomes.apply_redeem(waiting.pk, RedeemAnswer(CallState.PENDING), at=NOW)
    issuer_outcomes.apply_redeem(refused.pk, RedeemAnswer(CallState.REFUSED, reason_code="1212"), at=NOW)
    again = Redemption.objects.get(voucher_id=undone.voucher_id)
    cancel = IssuerCall.objects.create(
        issuer="douyin",
        kind="cancel",
        voucher_id=undone.voucher_id,
        redemption=again,
        actor_kind="staff",
        actor_id=counter.clerk.pk,
        request_id=uuid4(),
        uses=1,
        store_external_id="poi",
        next_ask_at=NOW,
        created_at=NOW,
    )
    issuer_outcomes.apply_cancel(cancel.pk, CancelAnswer(CallState.DONE, LATER), at=LATER)


def called(counter: Counter, voucher: Voucher) -> IssuerCall:
    """A request that has committed, and whose platform has not been heard."""
    request = RedemptionRequest.objects.create(
        store=counter.store,
        request_id=uuid4(),
        content_hash=bytes(16),
        operator=counter.clerk,
        source_kind="counter",
        outcome="unknown",
        requested_at=NOW,
    )
    with transaction.atomic():
        [held] = holds.hold(
            uses={voucher.pk: 1}, source_kind="redemption_request", source_id=request.pk, expires_at=None, at=NOW
        )
        audit.record(
            act="voucher.redeem",
            actor_kind="staff",
            actor_id=counter.clerk.pk,
            subject_kind="redemption_request",
            subject_id=request.pk,
            at=NOW,
        )
    return IssuerCall.objects.create(
        issuer="douyin",
        kind="redeem",
        voucher=voucher,
        redemption_request=request,
        actor_kind="staff",
        actor_id=counter.clerk.pk,
        request_id=request.request_id,
        uses=1,
        store_external_id="poi",
        fence=held.fence,
        next_ask_at=NOW,
        created_at=NOW,
    )


def pay_out(refund: Refund, *, at: datetime) -> None:
    """The provider has paid it."""
    with transaction.atomic():
        Refund.objects.filter(pk=refund.pk).update(status="succeeded", sent_at=at, succeeded_at=at)
        refund_finishing.finish(voucher_ids=[refund.source_id], at=at)
        _post(LedgerTransfer.Kind.REFUND_PAID, refund)


def _pay_again(purchase: Purchase) -> None:
    """A second capture, on its way back."""
    payment = Payment.objects.create(
        purchase=purchase,
        customer_id=purchase.customer_id,
        provider="sandbox",
        amount_fen=purchase.total_fen,
        status="captured",
        captured_fen=purchase.total_fen,
        captured_at=NOW,
        created_at=NOW,
    )
    refund = Refund.objects.create(
        payment=payment,
        purchase=purchase,
        customer_id=purchase.customer_id,
        source_kind="unwanted_capture",
        source_id=uuid4(),
        amount_fen=purchase.total_fen,
        due_at=NOW,
        requested_at=NOW,
    )
    _post(LedgerTransfer.Kind.UNWANTED_CAPTURE, refund)


def _post(kind: LedgerTransfer.Kind, refund: Refund) -> None:
    post([Posting(kind, refund.purchase.brand_id, refund.amount_fen, "refund", refund.pk, owner="sandbox")], at=LATER)


def leave_trail_of_captures() -> None:
    """What ``captures`` writes and ``paid.purchase`` does not."""
    audit.record(
        act="payments.captured",
        actor_kind="machine",
        actor_id=None,
        subject_kind="payment",
        subject_count=Payment.objects.filter(status="captured", store_order=None).count(),
        at=NOW,
    )
