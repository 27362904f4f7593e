"""A brand that owes its entities: balances as settlement leaves them, bank accounts, batches and the bank's answers."""

import io
from uuid import UUID, uuid4

from django.db import connection, transaction

from config.kernel.caller import Caller, CallerKind
from orders.models import BankAccount, LedgerTransfer, Payout, PayoutBatch
from orders.services import bank_accounts, ledger, payout_results, payouts
from orders.services.ledger import Posting
from orders.services.payout_results import Applied
from stores.models import Brand, SettlementEntity
from tests import factories
from tests.factories import NOW

BY = Caller(kind=CallerKind.OPERATOR, id=None)
NUMBER = "6222 0000 1111 2222"


def entity(brand: Brand, owed_fen: int, *, has_account: bool = True, **fields: object) -> SettlementEntity:
    """An entity with a balance, below zero where it owes."""
    made = factories.entity(brand, kind="franchisee", **fields)
    kind = LedgerTransfer.Kind.ENTITY_SHARE if owed_fen > 0 else LedgerTransfer.Kind.ENTITY_CHARGE
    if owed_fen:
        post(kind, brand, made, abs(owed_fen))
    if has_account:
        keep_account(made)
    return made


def post(kind: LedgerTransfer.Kind, brand: Brand, to: SettlementEntity, fen: int) -> None:
    with transaction.atomic():
        ledger.post([Posting(kind, brand.id, fen, "settlement", uuid4(), owner=str(to.id))], at=NOW)


def keep_account(of: SettlementEntity, number: str = NUMBER) -> BankAccount:
    return bank_accounts.keep(
        brand_id=of.brand_id, entity_id=of.id, holder=of.name, bank="某银行杭州分行", number=number, by=BY, at=NOW
    )


def batch(brand: Brand, *, least_fen: int = 1, request_id: UUID | None = None) -> PayoutBatch:
    return payouts.make_batch(
        brand_id=brand.id, least_fen=least_fen, request_id=request_id or uuid4(), by=BY, at=NOW
    ).row


def payout_of(made: PayoutBatch, of: SettlementEntity) -> Payout:
    return Payout.objects.get(batch=made, entity=of)


def answer(made: PayoutBatch, *rows: tuple[object, ...]) -> Applied:
    text = "付款编号,结果,原因,流水号\n" + "".join(f"{','.join(map(str, row))}\n" for row in rows)
    return payout_results.apply(batch=made, source=io.BytesIO(text.encode()), by=BY, at=NOW)


def paid_and_refused(brand: Brand) -> None:
    """Whoever is owed was refused by the bank once, then paid; some of it came back."""
    for of in payouts.balances(brand.id):
        keep_account(SettlementEntity.objects.get(id=of))
    first = batch(brand)
    answer(first, *((payout.public_id, "失败", "账号有误", "") for payout in Payout.objects.filter(status="pending")))
    second = batch(brand)
    _another_answer()
    answer(second, *((payout.public_id, "成功", "", "B1") for payout in Payout.objects.filter(status="pending")))
    _another_answer()
    paid = Payout.objects.filter(batch=second, status="paid").order_by("id")
    answer(second, *((payout.public_id, "退票", "账号已销户", "") for payout in paid[:1]))


def _another_answer() -> None:
    """The staging table goes with its transaction; within one test's story there is but one."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS payout_result")
