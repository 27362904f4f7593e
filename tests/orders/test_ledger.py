"""Posting and balances."""

import threading
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import IntegrityError, InternalError, connection, transaction

from orders.models import Account, LedgerTransfer
from orders.services import ledger
from orders.services.ledger import POSTING_TABLE, Posting, balance, post
from stores.models import Brand
from tests import factories
from tests.factories import NOW

Kind = LedgerTransfer.Kind
pytestmark = pytest.mark.django_db


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def posting(brand: Brand, kind: Kind = Kind.CAPTURE, amount_fen: int = 990, **fields: object) -> Posting:
    rule = POSTING_TABLE[kind]
    owned = {rule.debit, rule.credit} & ledger.OWNED
    plain = {"source_kind": rule.source_kind, "source_id": uuid4(), "owner": "sandbox" if owned else ""}
    return Posting(kind=kind, brand_id=brand.pk, amount_fen=amount_fen, **{**plain, **fields})  # type: ignore[arg-type]


def balance_of(brand: Brand, kind: Account.Kind) -> int:
    return balance(Account.objects.get(brand=brand, kind=kind))


@pytest.mark.parametrize("kind", Kind)
def test_each_kind_debits_and_credits_what_the_table_says(brand: Brand, kind: Kind) -> None:
    post([posting(brand, kind)], at=NOW)

    transfer = LedgerTransfer.objects.select_related("debit", "credit").get(kind=kind)
    assert (transfer.debit.kind, transfer.credit.kind) == (POSTING_TABLE[kind].debit, POSTING_TABLE[kind].credit)
    assert (transfer.source_kind, transfer.amount_fen) == (POSTING_TABLE[kind].source_kind, 990)
    assert balance(transfer.debit) == -990
    assert balance(transfer.credit) == 990


def test_a_source_posts_a_kind_once(brand: Brand) -> None:
    once = posting(brand)
    post([once], at=NOW)

    with pytest.raises(IntegrityError, match="transfer_is_posted_once"), transaction.atomic():
        post([once], at=NOW)


def test_one_statement_writes_any_number_of_postings(brand: Brand, django_assert_num_queries: object) -> None:
    post([posting(brand)], at=NOW)

    with django_assert_num_queries(2):  # type: ignore[operator]  # the accounts, which no commit has made known yet
        post([posting(brand, amount_fen=n) for n in range(1, 101)], at=NOW)

    assert balance_of(brand, Account.Kind.PREPAID_UNISSUED) == 990 + 5050


def test_providers_are_cleared_apart(brand: Brand) -> None:
    post([posting(brand, owner="sandbox"), posting(brand, owner="wechat", amount_fen=10)], at=NOW)

    clearing = Account.objects.filter(brand=brand, kind=Account.Kind.PROVIDER_CLEARING)
    assert {account.owner: balance(account) for account in clearing} == {"sandbox": -990, "wechat": -10}


def test_brands_do_not_share_accounts(brand: Brand) -> None:
    other = factories.brand()
    post([posting(brand), posting(other, amount_fen=1)], at=NOW)

    assert balance_of(brand, Account.Kind.PREPAID_UNISSUED) == 990
    assert balance_of(other, Account.Kind.PREPAID_UNISSUED) == 1


def test_a_clearing_account_without_its_provider_is_a_programmers_error(brand: Brand) -> None:
    with pytest.raises(AssertionError, match="name the provider"):
        post([posting(brand, owner="")], at=NOW)


def test_a_worthless_posting_is_a_programmers_error(brand: Brand) -> None:
    with pytest.raises(AssertionError, match="worth nothing"):
        post([posting(brand, amount_fen=0)], at=NOW)


def test_the_wrong_source_is_a_programmers_error(brand: Brand) -> None:
    with pytest.raises(AssertionError, match="posted for a purchase"):
        post([posting(brand, Kind.ISSUE, source_kind="voucher")], at=NOW)


def test_a_transfer_cannot_be_changed_or_deleted(brand: Brand) -> None:
    post([posting(brand)], at=NOW)

    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        LedgerTransfer.objects.update(amount_fen=1)
    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        LedgerTransfer.objects.all().delete()


def test_docs_carry_the_table_of_the_code() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "ledger.md"

    assert ledger.posting_table_markdown() in page.read_text(), "paste what `manage.py posting_table` prints"


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("posting_table")

    assert capsys.readouterr().out.strip() == ledger.posting_table_markdown()


class TestAccountsAreRemembered:
    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture(autouse=True)
    def _empty_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ledger, "_known_accounts", {})

    def test_after_a_commit_no_statement_looks_them_up(self, brand: Brand, django_assert_num_queries: object) -> None:
        with transaction.atomic():
            post([posting(brand)], at=NOW)

        with transaction.atomic(), django_assert_num_queries(1):  # type: ignore[operator]
            post([posting(brand)], at=NOW)

    def test_a_rollback_leaves_nothing_behind(self, brand: Brand) -> None:
        with transaction.atomic():
            post([posting(brand)], at=NOW)
            transaction.set_rollback(True)
        with transaction.atomic():
            post([posting(brand)], at=NOW + timedelta(seconds=1))

        transfer = LedgerTransfer.objects.get()
        assert Account.objects.filter(pk__in=[transfer.debit_id, transfer.credit_id]).count() == 2

    @pytest.mark.race
    def test_eight_first_postings_at_once_share_one_pair_of_accounts(
        self, brand: Brand, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        all_have_looked = threading.Barrier(8)
        read, looked = ledger._read, set[int]()

        def read_and_wait(keys: set[ledger.AccountKey]) -> dict[ledger.AccountKey, object]:
            found = read(keys)
            if threading.get_ident() not in looked:
                looked.add(threading.get_ident())
                all_have_looked.wait(10)
            return found

        monkeypatch.setattr(ledger, "_read", read_and_wait)
        failures: list[Exception] = []

        def run() -> None:
            try:
                with transaction.atomic():
                    post([posting(brand)], at=NOW)
            except (IntegrityError, InternalError, threading.BrokenBarrierError) as error:
                failures.append(error)
            finally:
                connection.close()

        threads = [threading.Thread(target=run) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)

        assert failures == []
        assert Account.objects.filter(brand=brand).count() == 2
        assert balance_of(brand, Account.Kind.PREPAID_UNISSUED) == 8 * 990
