"""What became of a grant, counted."""

from dataclasses import dataclass

from django.db import connection

from vouchers.models import Grant

COUNTS = """
    SELECT batch.issued, batch.taken_back, batch.waiting, voucher.used, voucher.open, voucher.expired
    FROM (
        SELECT coalesce(sum(voucher_count) FILTER (WHERE issued_at IS NOT NULL), 0)::bigint AS issued,
               coalesce(sum(taken_back), 0)::bigint AS taken_back,
               count(*) FILTER (WHERE state IN ('pending', 'reversing')) AS waiting
        FROM vouchers_grantbatch WHERE grant_id = %(grant)s
    ) AS batch, (
        SELECT count(*) FILTER (WHERE v.status = 'used' OR (v.uses_total > 1 AND EXISTS (
                   SELECT FROM vouchers_redemption r WHERE r.voucher_id = v.id AND r.reversed_at IS NULL))) AS used,
               count(*) FILTER (WHERE v.status IN ('issued', 'held')) AS open,
               count(*) FILTER (WHERE v.status = 'expired') AS expired
        FROM vouchers_grantbatch b
        JOIN vouchers_voucher v ON v.source_id = b.id AND v.source_kind = 'grant'
        WHERE b.grant_id = %(grant)s
    ) AS voucher
"""


@dataclass(frozen=True, slots=True)
class GrantCounts:
    """
    Vouchers of a grant. ``used`` have at least one live redemption; ``reversed`` were taken back;
    ``is_done`` once no batch waits to be issued or reversed.
    """

    planned: int
    issued: int
    used: int
    open: int
    expired: int
    reversed: int
    is_done: bool


def counts_of(grant: Grant) -> GrantCounts:
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"grant": grant.pk})
        issued, taken_back, waiting, used, still_open, expired = cursor.fetchone()
    return GrantCounts(
        planned=grant.voucher_count,
        issued=issued,
        used=used,
        open=still_open,
        expired=expired,
        reversed=taken_back,
        is_done=not waiting,
    )
