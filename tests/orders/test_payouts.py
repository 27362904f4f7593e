"""Payouts: what is owed is paid once, what cannot be paid says why, what the bank refuses is owed again."""

import csv
import io
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from config.accounts import tokens
from config.kernel.errors import IdempotencyConflict
from config.kernel.models import AuditEntry
from orders.errors import BankNumberUnreadable, ResultFileRefused
from orders.models import Account, BankAccount, LedgerTransfer, Payout
from orders.services import bank_accounts, ledger, payouts
from orders.services.payout_results import Applied
from stores.models import Brand, SettlementEntity
from tests import factories
from tests.orders import paying_out
from tests.orders.paying_out import NUMBER, answer, batch, entity, payout_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def balance(brand: Brand, kind: Account.Kind, owner: object = "") -> int:
    return ledger.balance(Account.objects.get(brand=brand, kind=kind, owner=str(owner)))


def owed(of: SettlementEntity) -> int:
    return balance(of.brand, Account.Kind.ENTITY_PAYABLE, of.id)


class TestBatches:
    def test_each_entity_gets_its_whole_balance_or_is_told_why_not(self, brand: Brand) -> None:
        paid, little = entity(brand, 87_300), entity(brand, 99)
        nowhere, owing, even = entity(brand, 500, has_account=False), entity(brand, -2_000), entity(brand, 0)
        other = entity(factories.brand(), 100)

        made = batch(brand, least_fen=100)

        rows = Payout.objects.filter(batch=made).values_list("entity", "status", "reason", "amount_fen")
        assert {row[0]: row[1:] for row in rows} == {
            paid.pk: ("pending", "", 87_300),
            little.pk: ("withheld", "below_least", 99),
            nowhere.pk: ("withheld", "no_bank_account", 500),
            owing.pk: ("offset", "owes", -2_000),
        }
        assert [owed(of) for of in (paid, little, nowhere, owing, other)] == [0, 99, 500, -2_000, 100]
        assert balance(brand, Account.Kind.PAYOUTS_PENDING) == 87_300
        assert even.pk not in payouts.balances(brand.pk)
        assert AuditEntry.objects.get(act="payout_batch.made").details == {"pending": 1, "withheld": 2, "offset": 1}

    def test_what_an_entity_owes_is_offset_against_what_it_earns_next(self, brand: Brand) -> None:
        of = entity(brand, -2_000)
        batch(brand)
        paying_out.post(LedgerTransfer.Kind.ENTITY_SHARE, brand, of, 3_000)

        assert payout_of(batch(brand), of).amount_fen == 1_000

    def test_the_same_request_is_the_same_batch(self, brand: Brand) -> None:
        entity(brand, 500)
        key = uuid4()

        first, again = batch(brand, request_id=key), batch(brand, request_id=key)

        assert (first.pk, Payout.objects.count()) == (again.pk, 1)
        with pytest.raises(IdempotencyConflict):
            batch(brand, request_id=key, least_fen=7)

    def test_what_is_on_its_way_is_not_paid_again(self, brand: Brand) -> None:
        of = entity(brand, 500)
        batch(brand)

        assert not Payout.objects.filter(batch=batch(brand), entity=of).exists()


class TestAnswers:
    def test_paid_is_paid_and_refused_is_owed_again(self, brand: Brand) -> None:
        good, bad = entity(brand, 500), entity(brand, 700)
        made = batch(brand)
        rows = [
            (payout_of(made, good).public_id, "成功", "", "B77"),
            (payout_of(made, bad).public_id, "失败", "户名不符", ""),
        ]

        assert [answer(made, *rows), answer(made, *rows)] == [Applied(1, 1, 0), Applied(0, 0, 2)]

        assert (owed(good), owed(bad)) == (0, 700)
        assert balance(brand, Account.Kind.PAYOUTS_PENDING) == 0
        assert balance(brand, Account.Kind.PAID_OUT) == 500
        ended = payout_of(made, bad)
        assert (ended.status, ended.reason, ended.bank_words) == ("failed", "refused_by_bank", "户名不符")
        assert payout_of(batch(brand), bad).amount_fen == 700
        assert AuditEntry.objects.filter(act="payout_batch.answered").count() == 1

    def test_an_answer_that_is_wrong_anywhere_changes_nothing(self, brand: Brand) -> None:
        of, nowhere = entity(brand, 500), entity(brand, 9, has_account=False)
        made, stranger = batch(brand), uuid4().hex
        mine, held = payout_of(made, of).public_id, payout_of(made, nowhere).public_id

        for rows, codes in (
            ([(mine, "成功", "", ""), (f"pot_{stranger}", "成功", "", "")], ["payout_unknown"]),
            ([(mine, "成功", "", ""), (mine, "失败", "", "")], ["payout_twice"]),
            ([(mine, "大概", "", ""), ("x", "成功", "", "")], ["result_unknown", "payout_unknown"]),
            ([(held, "成功", "", "")], ["payout_unknown"]),
        ):
            with pytest.raises(ResultFileRefused) as refused:
                answer(made, *rows)
            assert [problem.told()["code"] for problem in refused.value.problems] == codes
        assert payout_of(made, of).status == "pending"

    def test_a_second_answer_may_not_contradict_the_first(self, brand: Brand) -> None:
        of = entity(brand, 500)
        made = batch(brand)
        mine = payout_of(made, of).public_id
        answer(made, (mine, "成功", "", ""))

        with pytest.raises(ResultFileRefused) as refused:
            answer(made, (mine, "失败", "", ""))
        assert refused.value.problems[0].told()["code"] == "result_differs"

    def test_what_was_paid_may_come_back_once_and_is_owed_again(self, brand: Brand) -> None:
        of = entity(brand, 500)
        made = batch(brand)
        mine = payout_of(made, of).public_id
        paid, returned = (mine, "成功", "", "B77"), (mine, "退票", "账号已销户", "")

        assert [answer(made, row) for row in (paid, returned, returned, paid)] == [
            Applied(1, 0, 0, 0),
            Applied(0, 0, 0, 1),
            Applied(0, 0, 1, 0),
            Applied(0, 0, 1, 0),
        ]

        ended = payout_of(made, of)
        assert (ended.status, ended.reason, ended.bank_words) == ("returned", "returned_by_bank", "账号已销户")
        assert ended.bank_reference == "B77"
        assert (owed(of), balance(brand, Account.Kind.PAID_OUT)) == (500, 0)
        assert LedgerTransfer.objects.filter(kind="payout_returned").count() == 1
        assert payout_of(batch(brand), of).amount_fen == 500

    @pytest.mark.parametrize(("first", "then"), [(None, "退票"), ("失败", "退票"), ("退票", "失败")])
    def test_only_what_was_paid_comes_back(self, brand: Brand, first: str | None, then: str) -> None:
        of = entity(brand, 500)
        made = batch(brand)
        mine = payout_of(made, of).public_id
        for result in {"退票": ["成功", "退票"], "失败": ["失败"], None: []}[first]:
            answer(made, (mine, result, "", ""))

        with pytest.raises(ResultFileRefused) as refused:
            answer(made, (mine, then, "", ""))
        assert refused.value.problems[0].told()["code"] == "result_differs"


class TestBankAccounts:
    def test_a_number_is_sealed_and_the_last_one_counts(self, brand: Brand) -> None:
        of = entity(brand, 500)
        first = bank_accounts.current(of.id)
        assert first is not None
        assert paying_out.keep_account(of).pk == first.pk, "the same again changes nothing"

        second = paying_out.keep_account(of, "62220000111133334")

        assert b"6222" not in bytes(second.number_encrypted)
        assert (second.last_four, bank_accounts.number_of(second)) == ("3334", "62220000111133334")
        assert bank_accounts.current(of.id) == second
        assert BankAccount.objects.filter(entity=of).count() == 2
        assert NUMBER.replace(" ", "") not in str(list(AuditEntry.objects.values_list("details", flat=True)))

    @pytest.mark.parametrize("number", ["1234567", "6" * 31, "62220000١١١١", "=cmd|'/C calc'!A0"])
    def test_what_is_no_number_is_refused(self, brand: Brand, number: str) -> None:
        with pytest.raises(BankNumberUnreadable):
            paying_out.keep_account(factories.entity(brand), number)


class TestApi:
    def test_from_the_account_to_the_banks_answer(self, brand: Brand) -> None:
        of = entity(brand, 87_305, has_account=False, name="=某某餐饮")
        headers = finance(brand)
        account = Client().put(
            f"/api/v1/entities/{of.public_id}/bank-account",
            {"holder": "某某餐饮", "bank": "某银行", "number": NUMBER},
            content_type="application/json",
            headers=headers,
        )
        assert account.json()["number"] == "**** 2222"
        assert get(f"entities/{of.public_id}/bank-account", headers).json() == account.json()

        made, again = (make(headers, key) for key in [uuid4()] * 2)
        assert (made.status_code, again.status_code) == (201, 200)
        path = f"payout-batches/{made.json()['id']}"
        [payout] = get(f"{path}/payouts?status=pending", headers).json()["items"]
        file = b"".join(get(f"{path}/file", headers).streaming_content).decode("utf-8-sig")
        _, row = csv.reader(io.StringIO(file))
        assert row == [
            payout["id"],
            "'=某某餐饮",
            "某某餐饮",
            "某银行",
            "6222000011112222",
            "873.05",
            f"结算款 {of.code}",
        ]
        assert AuditEntry.objects.filter(act="payout_batch.fetched", actor_id__isnull=False).exists()

        answered = Client().post(
            f"/api/v1/{path}/results", f"付款编号,结果\n{payout['id']},成功\n", content_type="text/csv", headers=headers
        )
        assert answered.json() == {"paid": 1, "failed": 0, "returned": 0, "known": 0}
        assert get("payout-batches", headers).json()["items"] == [made.json()]

    def test_a_bad_answer_names_its_lines(self, brand: Brand) -> None:
        entity(brand, 500)
        headers = finance(brand)
        path = f"/api/v1/payout-batches/{make(headers, uuid4()).json()['id']}/results"

        answered = Client().post(path, "付款编号,结果\nx,成功\n", content_type="text/csv", headers=headers)

        assert (answered.status_code, answered.json()["error"]["code"]) == (422, "result_file_refused")
        assert answered.json()["error"]["details"]["problems"][0]["line"] == 2


def finance(brand: Brand) -> dict[str, str]:
    user_id = factories.staff(brand, role="finance").user_id
    return {"Authorization": f"Bearer {tokens.sign_staff(user_id=user_id, at=datetime.now(UTC)).text}"}


def get(path: str, headers: dict[str, str]) -> Any:
    return Client().get(f"/api/v1/{path}", headers=headers)


def make(headers: dict[str, str], key: Any) -> Any:
    headers = {**headers, "Idempotency-Key": str(key)}
    return Client().post("/api/v1/payout-batches", {}, content_type="application/json", headers=headers)
