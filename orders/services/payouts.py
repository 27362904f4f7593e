"""
Paying entities what they are owed: a batch, a file for the bank, and the bank's answer.

A payout takes an entity's whole balance, so what it was charged is offset against what it earned; who owes more than
that is shown as OFFSET and pays with what comes next. Money that is on its way lies in an account of its own.
"""

from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from django.db import connection, transaction

from config.kernel import audit
from config.kernel.caller import Caller
from config.kernel.csv_export import as_csv
from config.kernel.idempotency import content_hash
from orders.models import BankAccount, LedgerTransfer, Payout, PayoutBatch
from orders.services import bank_accounts, ledger
from orders.services.ledger import Posting
from stores.services.made import Key, Made, insert_once, made_before

BALANCES = """
SELECT account.owner::uuid, (account.folded_fen + coalesce(unfolded.fen, 0))::bigint
FROM orders_account account
LEFT JOIN (
    SELECT side.account_id, sum(side.fen) AS fen
    FROM orders_ledgertransfer transfer,
         LATERAL (VALUES (credit_id, amount_fen), (debit_id, -amount_fen)) AS side(account_id, fen)
    WHERE transfer.folded_at IS NULL GROUP BY side.account_id
) AS unfolded ON unfolded.account_id = account.id
WHERE account.brand_id = %(brand)s AND account.kind = 'entity_payable' AND account.owner <> ''
ORDER BY account.owner
"""
FILE_HEADINGS = ("付款编号", "结算主体", "户名", "开户行", "账号", "金额", "附言")

Status, Reason = Payout.Status, Payout.Reason


def make_batch(*, brand_id: UUID, least_fen: int, request_id: UUID, by: Caller, at: datetime) -> Made[PayoutBatch]:
    """
    One payout for each entity whose balance is not zero. The same ``request_id`` again is the same batch.

    Two batches at once follow each other, and the second finds nothing left of what the first has taken.

    Raises:
        IdempotencyConflict: ``request_id`` came before with another least amount.
    """
    key = Key(brand_id, request_id, content_hash(least_fen=least_fen))
    with transaction.atomic(durable=True):
        if first := made_before(PayoutBatch.objects.all(), key):
            return first
        lock(brand_id)
        made = insert_once(
            PayoutBatch(
                brand_id=brand_id,
                request_id=request_id,
                content_hash=key.content_hash,
                least_fen=least_fen,
                made_by_id=by.id,
                made_at=at,
            ),
            key,
        )
        if made.is_new:
            _pay_out(made.row, by=by, at=at)
        return made


def lock(brand_id: UUID) -> None:
    """One batch of a brand at a time, from its look at the balances on. Runs inside the caller's transaction."""
    assert connection.in_atomic_block, "the lock goes with the transaction"
    digest = sha256(b"payout/" + brand_id.bytes).digest()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int.from_bytes(digest[:8], signed=True)])


def balances(brand_id: UUID) -> dict[UUID, int]:
    """What each entity is owed, or owes, read in one snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(BALANCES, {"brand": brand_id})
        return dict(cursor.fetchall())


def bank_file(batch: PayoutBatch, *, by: Caller, at: datetime) -> Iterator[str]:
    """The pending payouts for the bank, as CSV with whole account numbers; who fetched it is kept."""
    pending = list(
        Payout.objects.filter(batch=batch, status=Status.PENDING)
        .select_related("bank_account", "entity")
        .order_by("entity__code")
    )
    with transaction.atomic(durable=True):
        audit.record(
            act="payout_batch.fetched",
            actor_kind=by.kind,
            actor_id=by.id,
            brand_id=batch.brand_id,
            subject_kind="payoutbatch",
            subject_id=batch.id,
            subject_count=len(pending),
            at=at,
        )
    return as_csv(FILE_HEADINGS, map(_bank_row, pending))


def _pay_out(batch: PayoutBatch, *, by: Caller, at: datetime) -> None:
    owed = {entity_id: fen for entity_id, fen in balances(batch.brand_id).items() if fen}
    accounts = {
        account.entity_id: account
        for account in BankAccount.objects.filter(entity_id__in=owed, replaced_at__isnull=True)
    }
    payouts = Payout.objects.bulk_create(
        _payout(batch, entity_id, fen, accounts.get(entity_id), at=at) for entity_id, fen in owed.items()
    )
    told: dict[str, int] = {}
    for payout in payouts:
        told[payout.status] = told.get(payout.status, 0) + 1
    ledger.post(
        [posting(LedgerTransfer.Kind.PAYOUT, payout) for payout in payouts if payout.status == Status.PENDING], at=at
    )
    audit.record(
        act="payout_batch.made",
        actor_kind=by.kind,
        actor_id=by.id,
        brand_id=batch.brand_id,
        subject_kind="payoutbatch",
        subject_id=batch.id,
        subject_count=len(payouts),
        details=told,
        at=at,
    )


def posting(kind: LedgerTransfer.Kind, payout: Payout) -> Posting:
    """A step of a payout in the ledger."""
    return Posting(kind, payout.brand_id, payout.amount_fen, "payout", payout.pk, owner=str(payout.entity_id))


def _payout(batch: PayoutBatch, entity_id: UUID, fen: int, account: BankAccount | None, *, at: datetime) -> Payout:
    if fen < 0:
        status, reason = Status.OFFSET, Reason.OWES
    elif account is None:
        status, reason = Status.WITHHELD, Reason.NO_BANK_ACCOUNT
    elif fen < batch.least_fen:
        status, reason = Status.WITHHELD, Reason.BELOW_LEAST
    else:
        status, reason = Status.PENDING, Reason.NONE
    return Payout(
        batch=batch,
        brand_id=batch.brand_id,
        entity_id=entity_id,
        bank_account=account if status == Status.PENDING else None,
        amount_fen=fen,
        status=status,
        reason=reason,
        made_at=at,
    )


def _bank_row(payout: Payout) -> tuple[object, ...]:
    account = payout.bank_account
    assert account is not None, "a pending payout goes somewhere"
    fen = payout.amount_fen
    number = bank_accounts.number_of(account)
    memo = f"结算款 {payout.entity.code}"
    yuan = f"{fen // 100}.{fen % 100:02d}"
    return (payout.public_id, payout.entity.name, account.holder, account.bank, number, yuan, memo)
