"""The bank's answer to a batch: paid is paid, refused or returned is owed again; the same answer any time."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import IO, Any
from uuid import UUID

from django.db import connection, transaction

from config.kernel import audit
from config.kernel.caller import Caller
from config.kernel.errors import MalformedId
from config.kernel.ids import parse
from orders.errors import ResultFileRefused
from orders.models import LedgerTransfer, Payout, PayoutBatch
from orders.services import ledger, payouts
from stores.services.csv_lists import Cells, ListForm, RowProblem, opened
from stores.services.list_staging import Staging

FORM = ListForm(
    headings={
        "payout": "付款编号 payout payoutid",
        "result": "结果 付款结果 result status",
        "words": "原因 失败原因 备注 reason",
        "reference": "流水号 银行流水号 reference",
    },
    longest={"payout": 40, "result": 16, "words": 256, "reference": 64},
    required=("payout", "result"),
)
RESULTS: Mapping[str, str] = {
    "成功": "paid",
    "paid": "paid",
    "失败": "failed",
    "failed": "failed",
    "退票": "returned",
    "returned": "returned",
}
STAGED = """
CREATE TEMPORARY TABLE payout_result (line integer, id uuid, result text, words text, reference text) ON COMMIT DROP
"""
COPY = "COPY payout_result (line, id, result, words, reference) FROM STDIN"
PROBLEMS = """
SELECT line, 'payout_twice', 'payout', id::text FROM (
    SELECT line, id, row_number() OVER (PARTITION BY id ORDER BY line) AS nth FROM payout_result) AS same WHERE nth > 1
UNION ALL
SELECT line, 'payout_unknown', 'payout', result.id::text FROM payout_result result
LEFT JOIN orders_payout payout
    ON payout.id = result.id AND payout.batch_id = %(batch)s AND payout.status NOT IN ('withheld', 'offset')
WHERE payout.id IS NULL
UNION ALL
SELECT line, 'result_differs', 'result', result.result FROM payout_result result
JOIN orders_payout payout ON payout.id = result.id
WHERE (payout.status, result.result) IN (
    ('paid', 'failed'), ('failed', 'paid'), ('failed', 'returned'), ('pending', 'returned'), ('returned', 'failed'))
ORDER BY 1
"""
# A payout ends once; one that was paid may come back once. Its first file again, after that, says what is known.
END = """
UPDATE orders_payout payout
SET status = result.result,
    reason = CASE result.result
        WHEN 'failed' THEN 'refused_by_bank' WHEN 'returned' THEN 'returned_by_bank' ELSE '' END,
    bank_words = result.words,
    bank_reference = coalesce(nullif(result.reference, ''), payout.bank_reference),
    ended_at = coalesce(payout.ended_at, %(at)s),
    returned_at = CASE result.result WHEN 'returned' THEN %(at)s END
FROM payout_result result
WHERE payout.id = result.id AND (payout.status, result.result) IN (
    ('pending', 'paid'), ('pending', 'failed'), ('paid', 'returned'))
RETURNING payout.id
"""
STEPS = {
    Payout.Status.PAID: LedgerTransfer.Kind.PAYOUT_PAID,
    Payout.Status.FAILED: LedgerTransfer.Kind.PAYOUT_BACK,
    Payout.Status.RETURNED: LedgerTransfer.Kind.PAYOUT_RETURNED,
}
"""What each end of a payout is in the ledger."""


class Problem(StrEnum):
    """Why a row of the bank's answer cannot be taken."""

    PAYOUT_UNKNOWN = "payout_unknown"
    PAYOUT_TWICE = "payout_twice"
    RESULT_UNKNOWN = "result_unknown"
    RESULT_DIFFERS = "result_differs"


@dataclass(frozen=True, slots=True)
class Applied:
    """What an answer changed; ``known`` rows said what was known already."""

    paid: int
    failed: int
    known: int
    returned: int = 0


@dataclass(frozen=True, slots=True)
class _Row:
    line: int
    payout_id: UUID
    result: str
    words: str
    reference: str


def apply(*, batch: PayoutBatch, source: IO[bytes], by: Caller, at: datetime) -> Applied:
    """
    Take the bank's word for the payouts it names, all rows or none; the same file again changes nothing.

    Raises:
        ResultFileRefused: rows that name no payout of this batch, one twice, or another end than the one it had.
        And what ``csv_lists.opened`` raises.
    """
    with transaction.atomic(durable=True):
        with opened(source, form=FORM, mapping={}) as file:
            staging: Staging[_Row] = Staging(create=STAGED, copy=COPY, cells_of=_cells)
            staging.fill(_rows(file.rows), after_batch=lambda: None)
        # In key order, so that two answers wait for each other; looked at under the locks.
        locked = Payout.objects.select_for_update(no_key=True).filter(batch=batch).order_by("id")
        payouts_by_id = {payout.pk: payout for payout in locked}
        with connection.cursor() as cursor:
            cursor.execute(PROBLEMS, {"batch": batch.pk})
            staging.require_no_problem(cursor.fetchall(), refusal=ResultFileRefused, codes=Problem)
            cursor.execute(END, {"at": at})
            ended = [payouts_by_id[key] for (key,) in cursor.fetchall()]
        for payout in ended:
            payout.refresh_from_db(fields=["status"])
        ledger.post([payouts.posting(STEPS[Payout.Status(payout.status)], payout) for payout in ended], at=at)
        told = Counter(payout.status for payout in ended)
        if ended:
            audit.record(
                act="payout_batch.answered",
                actor_kind=by.kind,
                actor_id=by.id,
                brand_id=batch.brand_id,
                subject_kind="payoutbatch",
                subject_id=batch.id,
                subject_count=len(ended),
                details=dict(told),
                at=at,
            )
        known = staging.rows - len(ended)
        return Applied(told["paid"], told["failed"], known, told["returned"])


def _rows(rows: Iterator[Cells | RowProblem]) -> Iterator[_Row | RowProblem]:
    for row in rows:
        yield row if isinstance(row, RowProblem) else _row(row)


def _row(cells: Cells) -> _Row | RowProblem:
    said = cells.said
    try:
        payout_id = parse(Payout.PREFIX, said["payout"] or "")
    except MalformedId:
        return RowProblem(cells.line, Problem.PAYOUT_UNKNOWN, "payout", said["payout"] or "")
    result = RESULTS.get((said["result"] or "").lower())
    if result is None:
        return RowProblem(cells.line, Problem.RESULT_UNKNOWN, "result", said["result"] or "")
    return _Row(cells.line, payout_id, result, said.get("words") or "", said.get("reference") or "")


def _cells(row: _Row) -> tuple[Any, ...]:
    return (row.line, row.payout_id, row.result, row.words, row.reference)
