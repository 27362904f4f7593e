"""
A bill against the books, set by set: the statements of ``bills``.

``bill_line`` holds the file, ``bill_known`` what we know of that day, ``bill_elsewhere`` the lines that are not a fact
of that day, ``bill_found`` what is to be a difference. ``key`` names one movement of money on both sides: a payment
by our reference and the provider's transaction (one reference may be captured twice), a refund by our reference.
"""

# Rows that we write hold the provider's references in their own columns; ids of ours are shown as people see them.
PAYMENT = "'pay_' || replace(payment.id::text, '-', '')"
SURCHARGE = "'sur_' || replace(surcharge.id::text, '-', '')"
REFUND = "'rfd_' || replace(refund.id::text, '-', '')"

STAGED = """
CREATE TEMPORARY TABLE bill_line (
    line integer, is_refund boolean, reference text, transaction text, key text, amount_fen bigint, at timestamptz
) ON COMMIT DROP
"""
COPY = "COPY bill_line (line, is_refund, reference, transaction, key, amount_fen, at) FROM STDIN"

# Transfers are found by the time they were posted, along block ranges; the fact itself says its day.
POSTED = """
    transfer.brand_id = %(brand)s
    AND transfer.occurred_at >= %(posted_from)s AND transfer.occurred_at < %(posted_until)s
"""
OF_THE_DAY = "BETWEEN %(begins)s AND %(ends)s::timestamptz - interval '1 microsecond'"
KNOWN = f"""
CREATE TEMPORARY TABLE bill_known ON COMMIT DROP AS
SELECT is_refund, reference, transaction, amount_fen,
       CASE WHEN is_refund THEN reference ELSE reference || ' ' || transaction END AS key
FROM (
    SELECT false AS is_refund, {PAYMENT} AS reference, payment.provider_reference AS transaction, transfer.amount_fen
    FROM orders_ledgertransfer transfer JOIN orders_payment payment ON payment.id = transfer.source_id
    WHERE {POSTED} AND transfer.kind IN ('capture', 'order_capture')
        AND payment.provider = %(provider)s AND payment.captured_at {OF_THE_DAY}
    UNION ALL
    SELECT false, {SURCHARGE}, surcharge.provider_reference, transfer.amount_fen
    FROM orders_ledgertransfer transfer JOIN orders_surcharge surcharge ON surcharge.id = transfer.source_id
    WHERE {POSTED} AND transfer.kind = 'surcharge'
        AND surcharge.provider = %(provider)s AND surcharge.paid_at {OF_THE_DAY}
    UNION ALL
    -- What nobody wanted: the notice alone names its transaction. Another currency has a bill of its own.
    SELECT DISTINCT false, notice.reference, notice.provider_reference, notice.amount_fen
    FROM orders_ledgertransfer transfer
    JOIN orders_refund refund ON refund.id = transfer.source_id
    LEFT JOIN orders_payment payment ON payment.id = refund.payment_id
    LEFT JOIN orders_surcharge surcharge ON surcharge.id = refund.surcharge_id
    JOIN orders_paymentnotice notice
        ON notice.reference = coalesce({PAYMENT}, {SURCHARGE}) AND notice.outcome = 'refunded'
    WHERE {POSTED} AND transfer.kind = 'unwanted_capture'
        AND notice.provider = %(provider)s AND notice.currency = %(currency)s AND notice.occurred_at {OF_THE_DAY}
    UNION ALL
    SELECT true, {REFUND}, '', transfer.amount_fen
    FROM orders_ledgertransfer transfer
    JOIN orders_refund refund ON refund.id = transfer.source_id
    LEFT JOIN orders_payment payment ON payment.id = refund.payment_id
    LEFT JOIN orders_surcharge surcharge ON surcharge.id = refund.surcharge_id
    WHERE {POSTED} AND transfer.kind = 'refund_paid'
        AND coalesce(payment.provider, surcharge.provider) = %(provider)s AND refund.succeeded_at {OF_THE_DAY}
        AND NOT (refund.source_kind = 'unwanted_capture' AND EXISTS (
            SELECT FROM orders_paymentnotice notice
            WHERE notice.reference = coalesce({PAYMENT}, {SURCHARGE}) AND notice.outcome = 'refunded'
                AND notice.amount_fen = refund.amount_fen AND notice.currency <> %(currency)s))
) AS fact
"""  # noqa: S608 - constants

ANALYZE = "ANALYZE bill_line; ANALYZE bill_known"
COPIES = """
CREATE TEMPORARY TABLE bill_copy ON COMMIT DROP AS
SELECT line FROM (
    SELECT line, row_number() OVER (PARTITION BY key ORDER BY line) AS nth
    FROM bill_line WHERE key IN (SELECT key FROM bill_line GROUP BY key HAVING count(*) > 1)
) AS same WHERE nth > 1
"""
# A movement of ours that is not of this day, of another brand at this provider, or of nobody we know.
ELSEWHERE = """
CREATE TEMPORARY TABLE bill_elsewhere ON COMMIT DROP AS
SELECT row.line, row.is_refund, row.reference, row.transaction, row.key, row.amount_fen, row.at, row.is_copy,
       coalesce(purchase.brand_id, store_order.brand_id, coalesce(surcharge.brand_id, of_refund.brand_id)) AS brand_id,
       fact.amount_fen AS ours_fen, (fact.at AT TIME ZONE %(zone)s)::date AS ours_date
FROM (
    SELECT line.*, copy.line IS NOT NULL AS is_copy, left(line.reference, 4) AS prefix,
           CASE WHEN line.reference ~ '^(pay|sur|rfd)_[0-9a-f]{32}$' THEN substr(line.reference, 5)::uuid END AS id
    FROM bill_line line
    LEFT JOIN bill_copy copy ON copy.line = line.line
    LEFT JOIN bill_known known ON known.key = line.key
    WHERE copy.line IS NOT NULL OR known.key IS NULL
) AS row
LEFT JOIN orders_refund refund ON refund.id = row.id AND row.prefix = 'rfd_' AND row.is_refund
LEFT JOIN orders_payment payment
    ON payment.id = coalesce(refund.payment_id, CASE WHEN row.prefix = 'pay_' AND NOT row.is_refund THEN row.id END)
    AND payment.provider = %(provider)s
LEFT JOIN orders_surcharge surcharge
    ON surcharge.id = CASE WHEN row.prefix = 'sur_' AND NOT row.is_refund THEN row.id END
    AND surcharge.provider = %(provider)s
LEFT JOIN orders_surcharge of_refund ON of_refund.id = refund.surcharge_id AND of_refund.provider = %(provider)s
LEFT JOIN orders_purchase purchase ON purchase.id = payment.purchase_id
LEFT JOIN orders_storeorder store_order ON store_order.id = payment.store_order_id
LEFT JOIN LATERAL (
    SELECT refund.amount_fen, refund.succeeded_at AS at
    WHERE row.is_refund AND refund.status = 'succeeded' AND (payment.id IS NOT NULL OR of_refund.id IS NOT NULL)
    UNION ALL
    SELECT payment.captured_fen, payment.captured_at
    WHERE NOT row.is_refund AND payment.status = 'captured' AND payment.provider_reference = row.transaction
    UNION ALL
    SELECT surcharge.amount_fen, surcharge.paid_at
    WHERE surcharge.paid_at IS NOT NULL AND surcharge.provider_reference = row.transaction
    UNION ALL
    SELECT notice.amount_fen, notice.occurred_at FROM orders_paymentnotice notice
    WHERE NOT row.is_refund AND notice.reference = row.reference AND notice.outcome = 'refunded'
        AND notice.provider = %(provider)s AND notice.provider_reference = row.transaction
    LIMIT 1
) AS fact ON true
"""

SAME_MOVEMENT = """
    {one}.is_refund = {other}.is_refund AND {one}.reference = {other}.reference
    AND ({one}.is_refund OR {one}.transaction = {other}.transaction)
"""
# Still waiting for the bill of another day: open, explained by a person, or by a bill that is not valid any more.
WAITS = """
    waiting.brand_id = %(brand)s AND waiting.provider = %(provider)s AND of_waiting.superseded_at IS NULL
    AND (waiting.explained_by_id IS NULL OR EXISTS (
        SELECT FROM orders_billfile explaining
        WHERE explaining.id = waiting.explained_by_id AND explaining.superseded_at IS NOT NULL))
"""
FOUND = f"""
CREATE TEMPORARY TABLE bill_found ON COMMIT DROP AS
SELECT 'amount' AS kind, line.is_refund, line.reference, line.transaction, line.line, line.amount_fen AS theirs_fen,
       line.at AS theirs_at, known.amount_fen AS ours_fen, %(day)s::date AS ours_date
FROM bill_line line JOIN bill_known known USING (key)
WHERE line.amount_fen <> known.amount_fen AND line.line NOT IN (SELECT line FROM bill_copy)
UNION ALL
SELECT 'missing_there', known.is_refund, known.reference, known.transaction, NULL, NULL, NULL, known.amount_fen,
       %(day)s::date
FROM bill_known known WHERE NOT EXISTS (SELECT FROM bill_line line WHERE line.key = known.key)
UNION ALL
SELECT CASE
           WHEN elsewhere.is_copy THEN 'duplicate'
           WHEN elsewhere.ours_fen IS NULL THEN 'missing_here'
           WHEN elsewhere.ours_fen <> elsewhere.amount_fen THEN 'amount'
           WHEN EXISTS (
               SELECT FROM orders_billdifference waiting
               JOIN orders_billfile of_waiting ON of_waiting.id = waiting.bill_id
               WHERE waiting.kind = 'missing_there' AND {WAITS}
                   AND {SAME_MOVEMENT.format(one="waiting", other="elsewhere")}
           ) OR NOT EXISTS (
               SELECT FROM orders_billfile earlier
               WHERE earlier.brand_id = %(brand)s AND earlier.provider = %(provider)s
                   AND earlier.bill_date = elsewhere.ours_date AND earlier.superseded_at IS NULL
           ) THEN 'late'
           ELSE 'duplicate'
       END,
       elsewhere.is_refund, elsewhere.reference, elsewhere.transaction, elsewhere.line, elsewhere.amount_fen,
       elsewhere.at, elsewhere.ours_fen, elsewhere.ours_date
FROM bill_elsewhere elsewhere
WHERE coalesce(elsewhere.brand_id, %(brand)s) = %(brand)s
    AND (elsewhere.is_copy OR elsewhere.ours_fen IS DISTINCT FROM elsewhere.amount_fen
         OR elsewhere.ours_date <> %(day)s::date)
UNION ALL
-- What the bill that is superseded had brought for another day, and this one does not.
SELECT 'missing_there', waited.is_refund, waited.reference, waited.transaction, NULL, NULL, NULL, waited.ours_fen,
       waited.ours_date
FROM orders_billdifference brought
JOIN orders_billdifference waited
    ON waited.kind = 'missing_there' AND waited.explained_by_id = brought.bill_id
    AND {SAME_MOVEMENT.format(one="waited", other="brought")}
WHERE brought.bill_id = %(superseded)s AND brought.kind = 'late'
    AND NOT EXISTS (SELECT FROM bill_line line WHERE {SAME_MOVEMENT.format(one="line", other="brought")})
"""  # noqa: S608 - constants
COUNTS = """
SELECT (SELECT count(*) FROM bill_elsewhere WHERE brand_id <> %(brand)s) AS others,
       (SELECT count(*) FROM bill_found WHERE line IS NOT NULL) AS differing,
       (SELECT count(*) FROM bill_known) + (
           SELECT count(*) FROM bill_elsewhere
           WHERE NOT is_copy AND ours_date = %(day)s::date AND brand_id = %(brand)s) AS known
"""
BY_KIND = "SELECT kind, count(*) FROM bill_found GROUP BY kind ORDER BY kind"
FIRST_REFERENCES = "SELECT reference FROM bill_found ORDER BY reference LIMIT %(named)s"

# A UUIDv7 of this moment around a random tail: its ids are as good as ours, without a million of them travelling.
INSERT_DIFFERENCES = """
INSERT INTO orders_billdifference (id, bill_id, brand_id, provider, bill_date, kind, is_refund, reference, transaction,
                                   line, theirs_fen, theirs_at, ours_fen, ours_date, found_at)
SELECT (%(milliseconds)s || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid, %(bill)s, %(brand)s,
       %(provider)s, %(day)s, kind, is_refund, reference, transaction, line, theirs_fen, theirs_at, ours_fen, ours_date,
       %(at)s
FROM bill_found
"""
CLOSE_SUPERSEDED = """
UPDATE orders_billdifference SET closed_at = %(at)s, outcome = 'superseded'
WHERE bill_id = %(superseded)s AND closed_at IS NULL
"""
# What a bill has too much and another day's has too little is the same money: both explain each other.
PAIRS = f"""
CREATE TEMPORARY TABLE bill_pair ON COMMIT DROP AS
SELECT DISTINCT ON (mine.id) mine.id AS mine, waiting.id AS theirs, waiting.bill_id AS their_bill
FROM orders_billdifference mine
JOIN orders_billdifference waiting
    ON waiting.bill_id <> mine.bill_id AND {SAME_MOVEMENT.format(one="waiting", other="mine")}
    AND waiting.kind = CASE mine.kind WHEN 'late' THEN 'missing_there' ELSE 'late' END
JOIN orders_billfile of_waiting ON of_waiting.id = waiting.bill_id
WHERE mine.bill_id = %(bill)s AND mine.kind IN ('late', 'missing_there') AND mine.closed_at IS NULL AND {WAITS}
ORDER BY mine.id, waiting.found_at
"""  # noqa: S608 - constants
CLOSE_MINE = """
UPDATE orders_billdifference SET closed_at = %(at)s, outcome = 'other_day', explained_by_id = bill_pair.their_bill
FROM bill_pair WHERE orders_billdifference.id = bill_pair.mine
"""
CLOSE_THEIRS = """
UPDATE orders_billdifference SET closed_at = %(at)s, outcome = 'other_day', explained_by_id = %(bill)s
FROM bill_pair WHERE orders_billdifference.id = bill_pair.theirs AND closed_at IS NULL
"""
