"""The after-sale desk's search: from whatever a customer can name to the vouchers it is about."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from config.kernel import ids
from config.kernel.errors import MalformedId
from orders.models import AppliedVoucher, Payment, Purchase, Refund, StoreOrder
from stores import phones
from stores.models import Customer
from stores.services.customers import phone_hash
from vouchers import codes
from vouchers.codes import CODE_DIGITS
from vouchers.models import IssuerVoucher, Redemption, Voucher

MOST_FOUND = 50
SHORTEST_CODE_END = 4
PHONE_END = 4
WAYS = (
    "phone_end",
    "phone",
    "code_end",
    "code",
    "platform_order",
    "voucher",
    "purchase",
    "payment",
    "order",
    "redemption",
    "refund",
    "customer",
)


@dataclass(frozen=True, slots=True)
class Found:
    """A voucher, and which word of the question named it: ``phone_end``, ``code_end``, ``order`` …"""

    voucher: Voucher
    by: str


@dataclass(frozen=True, slots=True)
class Findings:
    """At most ``MOST_FOUND`` vouchers, newest first; ``is_whole`` false where there are more."""

    found: list[Found]
    is_whole: bool


def search(*, brand_id: UUID, text: str) -> Findings:
    """
    The brand's vouchers that ``text`` names: an id of a voucher, purchase, payment, order, redemption or refund, a
    phone or its last four digits, a code or its last four or more, another platform's order or voucher number.

    Ends of codes have no index of their own (a sixth part more to write for every voucher sold): they are looked for
    backwards from the newest voucher, until enough are found. The other words go by an index.
    """
    vouchers = Voucher.objects.filter(brand_id=brand_id)
    found: dict[UUID, Found] = {}
    for by, rows in _meant(brand_id, vouchers, text.strip()):
        newest = rows.select_related("customer", "terms").order_by("-id")[: MOST_FOUND + 1]
        found |= {voucher.pk: Found(voucher, by) for voucher in newest if voucher.pk not in found}
    ordered = sorted(found.values(), key=lambda one: one.voucher.pk, reverse=True)
    return Findings(ordered[:MOST_FOUND], is_whole=len(ordered) <= MOST_FOUND)


def _meant(brand_id: UUID, vouchers: QuerySet[Voucher], text: str) -> Iterator[tuple[str, QuerySet[Voucher]]]:
    if prefix := re.match(r"[a-z]{3}_", text):
        yield from _by_id(vouchers, prefix[0][:-1], text)
        return
    digits = codes.normalise(text)
    if digits.isdecimal():
        if len(digits) == PHONE_END:
            tails = Customer.objects.filter(brand_id=brand_id, phone_tail=digits)
            yield "phone_end", vouchers.filter(customer_id__in=tails.values("pk"))
        if len(digits) == CODE_DIGITS:
            yield "code", vouchers.filter(code=digits)
        elif len(digits) >= SHORTEST_CODE_END:
            yield "code_end", vouchers.filter(issuer=Voucher.OWN, code__endswith=digits)
    if number := _phone(text):
        hers = Customer.objects.filter(brand_id=brand_id, phone_hash=phone_hash(brand_id=brand_id, number=number))
        yield "phone", vouchers.filter(customer_id__in=hers.values("pk"))
    at_platform = IssuerVoucher.objects.filter(order_external_id=text)
    yield "platform_order", vouchers.filter(pk__in=at_platform.values("voucher_id"))


def _phone(text: str) -> str | None:
    try:
        return phones.normalised(text)
    except ValueError:
        return None


def _by_id(vouchers: QuerySet[Voucher], prefix: str, text: str) -> Iterator[tuple[str, QuerySet[Voucher]]]:
    try:
        key = ids.parse(prefix, text)
    except MalformedId:
        return
    match prefix:
        case Voucher.PREFIX:
            yield "voucher", vouchers.filter(pk=key)
        case Purchase.PREFIX:
            yield "purchase", vouchers.filter(source_id=key, source_kind=Voucher.Source.PURCHASE)
        case Customer.PREFIX:
            yield "customer", vouchers.filter(customer_id=key)
        case Redemption.PREFIX:
            yield "redemption", vouchers.filter(pk__in=Redemption.objects.filter(pk=key).values("voucher_id"))
        case StoreOrder.PREFIX:
            yield "order", vouchers.filter(pk__in=AppliedVoucher.objects.filter(order_id=key).values("voucher_id"))
        case Payment.PREFIX:
            paid = Payment.objects.filter(pk=key)
            in_orders = AppliedVoucher.objects.filter(order_id__in=paid.values("store_order_id"))
            yield (
                "payment",
                vouchers.filter(
                    Q(source_id__in=paid.values("purchase_id"), source_kind=Voucher.Source.PURCHASE)
                    | Q(pk__in=in_orders.values("voucher_id"))
                ),
            )
        case Refund.PREFIX:
            refunds = Refund.objects.filter(pk=key)
            yield "refund", vouchers.filter(pk__in=refunds.values("source_id"))
