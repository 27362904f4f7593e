"""What the trace says must be true each day, and what the database says is."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from django.db import connection

from orders.management.replaying.trace import Trace

MOVED = """
    SELECT (SELECT coalesce(sum(voucher_count), 0)::bigint FROM vouchers_grantbatch
            WHERE brand_id = %(brand)s AND issued_at >= %(from)s AND issued_at < %(until)s),
           (SELECT count(*) FROM vouchers_redemption
            WHERE store_id = %(store)s AND redeemed_at >= %(from)s AND redeemed_at < %(until)s
                AND reversed_at IS NULL),
           (SELECT count(*) FROM vouchers_voucher
            WHERE status = 'issued' AND valid_until <= %(from)s AND brand_id = %(brand)s)
"""
RECOUNT = """
    SELECT count(*), count(*) FILTER (WHERE status = 'used'), count(*) FILTER (WHERE status = 'expired'),
           count(*) FILTER (WHERE status = 'issued'), count(*) FILTER (WHERE status = 'refunded'),
           count(*) FILTER (WHERE status NOT IN ('used', 'expired', 'issued', 'refunded')),
           (SELECT count(*) FROM vouchers_redemption WHERE store_id = %(store)s AND reversed_at IS NULL),
           (SELECT count(*) FROM vouchers_useending e JOIN vouchers_voucher v ON v.id = e.voucher_id
            WHERE v.brand_id = %(brand)s)
    FROM vouchers_voucher WHERE brand_id = %(brand)s
"""


@dataclass(frozen=True)
class Totals:
    """Vouchers by what became of them; ``uses`` counts redemptions, ``ended`` uses that expired."""

    vouchers: int
    used: int
    expired: int
    open: int
    refunded: int
    other: int
    uses: int
    ended: int


class Books:
    """The trace's own account, day by day, beside the database's."""

    def __init__(self, trace: Trace, *, brand_id: UUID, store_id: UUID) -> None:
        self._who = {"brand": brand_id, "store": store_id}
        self._issued: Counter[date] = Counter()
        self._ended_on: Counter[date] = Counter()
        self._uses: Counter[date] = Counter(use.day for use in trace.uses)
        self._used_up: Counter[date] = Counter()
        left = Counter(trace.times_used)
        for use in trace.uses:
            left[use.voucher] -= 1
            self._used_up[use.day] += not left[use.voucher]
        unused_of: defaultdict[str, int] = defaultdict(int)
        for campaign_name, _, _ in trace.times_used:
            unused_of[campaign_name] += 1
        for campaign in trace.campaigns:
            self._issued[campaign.first_day] += campaign.vouchers
            self._ended_on[campaign.last_day + timedelta(days=1)] += campaign.vouchers - unused_of[campaign.name]
        self.wrong: list[str] = []
        self.recounts = 0

    def expired(self, day: date, count: int) -> None:
        """``count`` vouchers were expired by the sweeper at this day's midnight."""
        self._compare(day, "expired", count, self._ended_on[day])

    def day_is_over(self, day: date, begins: datetime, ends: datetime) -> None:
        """What moved today is what the trace says, and nothing that is due was left over."""
        with connection.cursor() as cursor:
            cursor.execute(MOVED, {**self._who, "from": begins, "until": ends})
            issued, uses, overdue = cursor.fetchone()
        self._compare(day, "issued", issued, self._issued[day])
        self._compare(day, "used", uses, self._uses[day])
        self._compare(day, "overdue", overdue, 0)

    def recount(self, day: date) -> Totals:
        """Every voucher, use and ending of the brand as stored, against all days so far (this one's midnight)."""
        with connection.cursor() as cursor:
            cursor.execute(RECOUNT, self._who)
            totals = Totals(*cursor.fetchone())
        self.recounts += 1
        issued = _until(self._issued, day)
        used, expired, uses = (_until(one, day) for one in (self._used_up, self._ended_on, self._uses))
        expired += self._ended_on[day]
        expected = Totals(issued, used, expired, issued - used - expired, 0, 0, uses, expired)
        for name in Totals.__dataclass_fields__:
            self._compare(day, f"recounted {name}", getattr(totals, name), getattr(expected, name))
        return totals

    def _compare(self, day: date, what: str, got: int, wanted: int) -> None:
        if got != wanted:
            self.wrong.append(f"{day}: {what} {got:,} instead of {wanted:,}")


def _until(counts: Counter[date], day: date) -> int:
    return sum(count for one, count in counts.items() if one < day)
