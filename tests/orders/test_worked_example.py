"""The worked example of docs/ledger.md happens exactly as the page says."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from config.kernel.money import yuan
from orders.models import Account, LedgerTransfer, Refund
from orders.services.issuing import issue_paid
from orders.services.ledger import balance
from orders.services.refunds import request_refund
from tests import factories
from tests.factories import NOW
from tests.orders import paid, world
from tests.vouchers import counters
from vouchers.models import Redemption, Voucher
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db
COLUMNS = ["provider_clearing", "prepaid_unissued", "voucher_liability", "redeemed", "refunds_payable"]


def test_docs_tell_what_happens() -> None:
    lines = [
        "| what happens | transfer | " + " | ".join(f"`{name}`" for name in COLUMNS) + " |",
        "|---|---|" + "--:|" * len(COLUMNS),
    ]

    def tell(event: str) -> None:
        last = LedgerTransfer.objects.order_by("-id")[0]
        held = {account.kind: balance(account) for account in Account.objects.all()}
        figures = " | ".join(yuan(held.get(kind, 0)) for kind in COLUMNS)
        lines.append(f"| {event} | `{last.kind}` {yuan(last.amount_fen)} | {figures} |")

    brand = factories.brand()
    card = factories.terms(
        factories.deal(brand, kind="times_card"), use_list_fen=[1_000, 1_000, 1_000], list_price_fen=3_000
    )
    paid.purchase(brand=brand, terms=card, unit_price_fen=2_000)
    tell("She pays ¥20.00 for a card of three uses")
    issue_paid(limit=1, at=NOW)
    tell("The card is issued: ¥6.67 + ¥6.67 + ¥6.66")
    voucher = Voucher.objects.get()
    counter = counters.counter(brand=brand)
    counter.redeem(voucher.code)
    tell("She drinks the first use")
    redemption = Redemption.objects.get()
    reverse(redemption_id=redemption.pk, operator=counter.clerk, request_id=uuid4(), at=NOW + timedelta(minutes=1))
    tell("The clerk had the wrong cup and undoes it")
    counter.redeem(voucher.code, at=NOW + timedelta(minutes=2))
    tell("The first use again, a new redemption")
    request_refund(voucher_id=voucher.pk, customer_id=voucher.customer_id, request_id=uuid4(), at=NOW)
    tell("She gives the other two back")
    world.pay_out(Refund.objects.get(), at=NOW)
    tell("The provider has paid the refund")

    page = Path(__file__).resolve().parents[2] / "docs" / "ledger.md"
    assert "\n".join(lines) in page.read_text(), "docs/ledger.md should say\n" + "\n".join(lines)
