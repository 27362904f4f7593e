"""Which uses of a locked voucher are free: the one condition behind holding, refunding and expiring."""

# ``v`` is the voucher's row, ``use.serial`` one of its uses. Read after the lock. OFFSET keeps each question an
# index look-up for each use: as a join the planner reads the whole table of endings for every batch that expires.
IS_FREE = """
        NOT EXISTS (SELECT FROM vouchers_redemption r
                    WHERE r.voucher_id = v.id AND r.serial = use.serial AND r.reversed_at IS NULL OFFSET 0)
    AND NOT EXISTS (SELECT FROM vouchers_useending e WHERE e.voucher_id = v.id AND e.serial = use.serial OFFSET 0)
    AND NOT EXISTS (SELECT FROM vouchers_hold h
                    WHERE h.voucher_id = v.id AND h.serial = use.serial AND h.ended_at IS NULL OFFSET 0)
"""
