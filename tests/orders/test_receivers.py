"""What the ledger hears when uses are redeemed, undone and over."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from orders.models import Account, LedgerTransfer
from orders.services.issuing import issue_paid
from orders.services.ledger import balance, row_source
from tests.factories import NOW
from tests.orders import paid
from tests.vouchers import counters
from vouchers import signals
from vouchers.models import Redemption, UseEnding, Voucher

pytestmark = pytest.mark.django_db


@pytest.fixture
def vouchers() -> list[Voucher]:
    """Two bought vouchers of ¥9.90 each."""
    paid.purchase(quantity=2)
    issue_paid(limit=10, at=NOW)
    return list(Voucher.objects.order_by("ordinal"))


def balances() -> dict[str, int]:
    return {account.kind: balance(account) for account in Account.objects.all() if balance(account)}


def redeem(vouchers: Sequence[Voucher]) -> list[Redemption]:
    counters.counter(brand=vouchers[0].brand).redeem(*(voucher.code for voucher in vouchers))
    return list(Redemption.objects.order_by("id"))


def test_redeemed_uses_wait_for_settlement(vouchers: list[Voucher]) -> None:
    [redemption] = redeem(vouchers[:1])

    transfer = LedgerTransfer.objects.get(kind="redemption")
    assert (transfer.source_kind, transfer.source_id, transfer.amount_fen) == ("redemption", redemption.pk, 990)
    assert balances() == {"provider_clearing": -1_980, "voucher_liability": 990, "redeemed": 990}


def test_an_undone_use_is_owed_again_and_may_be_redeemed_again(vouchers: list[Voucher]) -> None:
    redemptions = redeem(vouchers)

    signals.reversed_.send(sender=Redemption, redemptions=redemptions[:1], at=NOW)

    assert balances() == {"provider_clearing": -1_980, "voucher_liability": 990, "redeemed": 990}


@pytest.mark.parametrize("worth", [{"paid_fen": 0, "use_amounts_fen": [0]}, {"source_kind": "grant"}])
def test_what_no_purchase_paid_for_moves_no_money(vouchers: list[Voucher], worth: dict[str, object]) -> None:
    Voucher.objects.update(**worth)
    redeem(vouchers[:1])
    vouchers[1].refresh_from_db()
    ending = end(vouchers[1], expired_at=NOW, amount_fen=vouchers[1].use_amounts_fen[0])

    signals.uses_expired.send(sender=UseEnding, endings=[ending], at=NOW)

    assert not LedgerTransfer.objects.filter(kind__in=["redemption", "breakage"]).exists()


def end(voucher: Voucher, **fields: object) -> UseEnding:
    plain = {"voucher_id": voucher.pk, "customer_id": voucher.customer_id, "serial": 1, "amount_fen": 990}
    ending = UseEnding.objects.create(**{**plain, **fields})
    return UseEnding.objects.get(pk=ending.pk)


def test_an_expired_use_without_refund_is_breakage(vouchers: list[Voucher]) -> None:
    ending = end(vouchers[0], expired_at=NOW)

    signals.uses_expired.send(sender=UseEnding, endings=[ending], at=NOW + timedelta(days=1))

    transfer = LedgerTransfer.objects.get(kind="breakage")
    assert (transfer.source_kind, transfer.source_id) == ("use_ending", row_source(ending.pk))
    assert balances() == {"provider_clearing": -1_980, "voucher_liability": 990, "breakage": 990}


def test_an_expired_use_with_a_refund_to_follow_is_still_owed(vouchers: list[Voucher]) -> None:
    ending = end(vouchers[0], expired_at=NOW, refund_follows=True)

    signals.uses_expired.send(sender=UseEnding, endings=[ending], at=NOW)

    assert balances() == {"provider_clearing": -1_980, "voucher_liability": 1_980}


def test_a_batch_costs_one_insert_however_many_uses(vouchers: list[Voucher], django_assert_num_queries: object) -> None:
    endings = [end(voucher, expired_at=NOW) for voucher in vouchers]

    # The vouchers, which these endings lack; the accounts, new here, twice read and once made; the insert.
    with django_assert_num_queries(5):  # type: ignore[operator]
        signals.uses_expired.send(sender=UseEnding, endings=endings, at=NOW)
