"""One voucher's life, read from the facts that every act leaves; nothing is kept for it."""

from collections.abc import Iterator

from config.kernel.ids import public
from orders.models import AfterSaleCase, Payment, Purchase, Refund, StoreOrder, Surcharge
from orders.queries.happenings import Happening
from vouchers.models import Amendment, GrantBatch, Hold, Recall, Redemption, RedemptionRequest, UseEnding, Voucher

ORDER_TIMES = (
    ("order_accepted", "accepted_at"),
    ("order_making", "making_at"),
    ("order_ready", "ready_at"),
    ("order_collected", "collected_at"),
    ("order_lapsed", "lapsed_at"),
)
ORDER_ENDINGS = {"uncollected": "order_uncollected", "cancelled": "order_cancelled", "rejected": "order_rejected"}


def timeline_of(voucher: Voucher) -> list[Happening]:
    """
    Everything that happened to the voucher, oldest first: what its customer and her customer service may both see.

    At most eleven statements, however much happened. What happened in one moment stands in the order of cause.
    """
    redemptions = list(
        Redemption.objects.filter(voucher_id=voucher.pk)
        .select_related("store", "request")
        .order_by("redeemed_at", "serial")
    )
    holds = list(Hold.objects.filter(voucher_id=voucher.pk).order_by("created_at", "serial"))
    told = [
        *_coming(voucher),
        *_promises(voucher),
        *_holds(holds),
        *_orders(holds, redemptions),
        *_uses(redemptions),
        *_surcharges(redemptions),
        *_endings(voucher),
        *_refunds(voucher, redemptions),
        *_cases(voucher),
    ]
    return sorted(told, key=lambda happening: happening.at)


def _coming(voucher: Voucher) -> Iterator[Happening]:
    """How she came by it."""
    if voucher.source_kind == Voucher.Source.PURCHASE:
        purchase = Purchase.objects.get(pk=voucher.source_id)
        about = {"purchase": purchase.public_id, "quantity": purchase.quantity}
        yield Happening(purchase.accepted_at, "bought", purchase.total_fen, about)
        for payment in Payment.objects.filter(purchase=purchase, status=Payment.Status.CAPTURED):
            assert payment.captured_at is not None, "captured says when"
            paid = {"payment": payment.public_id, "provider": payment.provider}
            yield Happening(payment.captured_at, "paid", payment.captured_fen, paid)
    if voucher.source_kind == Voucher.Source.GRANT:
        batch = GrantBatch.objects.select_related("grant").get(pk=voucher.source_id)
        given = {"grant": batch.grant.public_id, "reason": batch.grant.reason}
        yield Happening(batch.grant.granted_at, "granted", facts=given)
    yield Happening(voucher.issued_at, "issued")


def _promises(voucher: Voucher) -> Iterator[Happening]:
    """What its terms came to say after she had it."""
    since = Amendment.objects.filter(terms_id=voucher.terms_id, published_at__gte=voucher.issued_at)
    for amendment in since.order_by("number"):
        about = {"amendment": amendment.public_id, "reason": amendment.reason}
        yield Happening(amendment.published_at, "extended", facts=about)
    for recall in Recall.objects.filter(terms_id=voucher.terms_id):
        yield Happening(max(recall.begun_at, voucher.issued_at), "recalled", facts={"cause": recall.cause})


def _holds(holds: list[Hold]) -> Iterator[Happening]:
    for hold in holds:
        if hold.source_kind != Hold.Source.STORE_ORDER:
            yield Happening(hold.created_at, "held_for_platform", facts={"serial": hold.serial})
            continue
        order = {"order": public(StoreOrder.PREFIX, hold.source_id), "serial": hold.serial}
        yield Happening(hold.created_at, "held", facts=order)
        if hold.ended_at is not None and hold.outcome == Hold.Outcome.RELEASED:
            yield Happening(hold.ended_at, "freed", facts=order)


def _orders(holds: list[Hold], redemptions: list[Redemption]) -> Iterator[Happening]:
    """Orders that put it in; those that became redemptions and those that did not."""
    held_by = {hold.source_id for hold in holds if hold.source_kind == Hold.Source.STORE_ORDER}
    requests = [one.request for one in redemptions]
    used_by = {r.source_id for r in requests if r.source_kind == RedemptionRequest.Source.STORE_ORDER and r.source_id}
    ids = held_by | used_by
    for order in StoreOrder.objects.filter(pk__in=ids).select_related("store").order_by("placed_at", "pk"):
        facts = {"order": order.public_id, "store": order.store.name, "number": order.pickup_number or ""}
        yield Happening(order.placed_at, "order_placed", order.due_fen, facts)
        if order.confirmed_at is not None:
            yield Happening(order.confirmed_at, "order_confirmed", facts=facts)
        for kind, name in ORDER_TIMES:
            if at := getattr(order, name):
                yield Happening(at, kind, facts=facts)
        if order.ended_at is not None:
            yield Happening(order.ended_at, ORDER_ENDINGS[order.status], facts={**facts, "reason": order.reason})


def _uses(redemptions: list[Redemption]) -> Iterator[Happening]:
    for one in redemptions:
        facts = {"redemption": one.public_id, "store": one.store.name, "serial": one.serial}
        yield Happening(one.redeemed_at, "redeemed", one.amount_fen, facts)
        if one.reversed_at is not None:
            yield Happening(one.reversed_at, "undone", one.amount_fen, facts)
        if one.settled_at is not None:
            yield Happening(one.settled_at, "settled", one.amount_fen, facts)


def _surcharges(redemptions: list[Redemption]) -> Iterator[Happening]:
    for surcharge in Surcharge.objects.filter(redemption__in=[one.pk for one in redemptions]).order_by("created_at"):
        about = {"surcharge": surcharge.public_id, "reason": surcharge.reason}
        if surcharge.paid_at is not None:
            yield Happening(surcharge.paid_at, "surcharged", surcharge.amount_fen, about)
        if surcharge.given_back_at is not None:
            yield Happening(surcharge.given_back_at, "surcharge_returned", surcharge.amount_fen, about)


def _endings(voucher: Voucher) -> Iterator[Happening]:
    for ending in UseEnding.objects.filter(voucher_id=voucher.pk).order_by("serial"):
        about = {"serial": ending.serial}
        if ending.expired_at is not None:
            yield Happening(ending.expired_at, "expired", ending.amount_fen, about)
        if ending.refunding_at is not None:
            yield Happening(ending.refunding_at, "returned", ending.amount_fen, about)


def _refunds(voucher: Voucher, redemptions: list[Redemption]) -> Iterator[Happening]:
    of_voucher = [Refund.Source.VOUCHER, Refund.Source.EXPIRED_VOUCHER, Refund.Source.AFTER_USE]
    sources = [voucher.pk, *(one.pk for one in redemptions)]
    for refund in Refund.objects.filter(source_id__in=sources, source_kind__in=of_voucher).order_by("requested_at"):
        about = {"refund": refund.public_id}
        if refund.sent_at is not None:
            yield Happening(refund.sent_at, "refund_sent", refund.amount_fen, about)
            if refund.status == Refund.Status.FAILED:
                yield Happening(refund.sent_at, "refund_failed", refund.amount_fen, about)
        if refund.succeeded_at is not None:
            yield Happening(refund.succeeded_at, "refund_succeeded", refund.amount_fen, about)


def _cases(voucher: Voucher) -> Iterator[Happening]:
    for case in AfterSaleCase.objects.filter(customer_id=voucher.customer_id, voucher=voucher).order_by("opened_at"):
        about = {"case": case.public_id, "reason": case.reason}
        yield Happening(case.opened_at, "case_opened", facts=about)
        if case.decided_at is not None and case.status == AfterSaleCase.Status.DONE:
            yield Happening(case.decided_at, f"case_{case.outcome}", case.value_fen, about)
        elif case.decided_at is not None:
            yield Happening(case.decided_at, "case_declined", facts={**about, "reason": case.declined_because})
