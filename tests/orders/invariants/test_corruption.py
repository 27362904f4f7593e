"""Each rule of each invariant: the database is corrupted behind every guard, and the audit names the rule."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from django.db import transaction

from orders.invariants import auditing, references, slices
from orders.invariants.auditing import Result
from orders.models import LedgerTransfer
from orders.services.folding import fold_transfers
from tests.factories import NOW
from tests.orders import world
from tests.orders.world import corrupt

pytestmark = pytest.mark.django_db

PARTS = 4
"""So that workers can share them."""

A_COPY_OF_THE_REDEMPTION = """
    DROP INDEX use_is_redeemed_once;
    INSERT INTO vouchers_redemption
    SELECT (jsonb_populate_record(redemption, jsonb_build_object('id', gen_random_uuid()))).*
    FROM vouchers_redemption redemption WHERE reversed_at IS NULL
"""
TWO_PURCHASES_OF_ONE_REQUEST = """
    ALTER TABLE orders_purchase DROP CONSTRAINT purchase_is_accepted_once;
    UPDATE orders_purchase SET (customer_id, request_id) = (
        SELECT customer_id, request_id FROM orders_purchase WHERE status = 'paid')
    WHERE status = 'accepted'
"""

CORRUPTIONS = {
    # I1
    "deal_stock_is_free_or_with_an_offer": "UPDATE vouchers_dealstock SET free = free - 1",
    "offer_is_never_oversold": "ALTER TABLE vouchers_offer DROP CONSTRAINT offer_is_never_oversold;"
    " UPDATE vouchers_offer SET sold = allotment + 1",
    "offer_sold_is_its_purchases": "UPDATE vouchers_offer SET sold = sold + 1",
    "allowance_is_what_the_customer_bought": "UPDATE vouchers_customerallowance SET bought = bought + 1",
    "returned_units_are_those_refunded": "UPDATE orders_purchase SET returned_quantity = 1 WHERE status = 'refunded'",
    # I2
    "purchase_is_accepted_once": TWO_PURCHASES_OF_ONE_REQUEST,
    "purchase_total_is_its_units": "ALTER TABLE orders_purchase DROP CONSTRAINT purchase_total_is_its_units;"
    " UPDATE orders_purchase SET total_fen = total_fen + 1",
    "payment_asks_its_buyer_for_the_total": "UPDATE orders_payment SET amount_fen = amount_fen + 1",
    # I3
    "issued_vouchers_are_the_quantity": "DELETE FROM vouchers_voucher WHERE status = 'issued'",
    "issued_vouchers_cost_the_total": "UPDATE vouchers_voucher SET paid_fen = paid_fen + 1",
    "issued_vouchers_are_the_buyers": "UPDATE vouchers_voucher SET customer_id = gen_random_uuid()",
    "issued_vouchers_are_of_the_terms_that_were_sold": "UPDATE vouchers_voucher SET terms_id = sold.terms_id"
    " FROM vouchers_offer sold JOIN vouchers_deal deal ON deal.id = sold.deal_id WHERE deal.kind = 'bundle'"
    " AND source_kind = 'purchase'",
    "voucher_has_its_source": "UPDATE vouchers_voucher SET source_id = gen_random_uuid()",
    "grant_is_its_batches": "UPDATE vouchers_grantbatch SET voucher_count = voucher_count + 1 WHERE state = 'pending'",
    "granted_vouchers_are_those_planned": "DELETE FROM vouchers_voucher WHERE source_kind = 'grant'",
    "granted_vouchers_are_the_chosen_customers": "UPDATE vouchers_grantbatch"
    " SET customer_ids = ARRAY[customer_ids[2], customer_ids[1]]",
    "reversed_grant_was_taken_back": "UPDATE vouchers_voucher SET status = 'expired' WHERE source_kind = 'grant'",
    "granted_voucher_has_its_batch": "UPDATE vouchers_voucher SET source_id = gen_random_uuid()",
    "platform_voucher_has_its_sale": "UPDATE vouchers_voucher SET external_id = '' WHERE source_kind = 'platform'",
    "platform_voucher_is_worth_its_parts": "UPDATE vouchers_issuervoucher SET platform_fen = ARRAY[299]",
    # I4
    "uses_left_are_those_not_consumed": "UPDATE vouchers_voucher SET uses_left = 1 WHERE status = 'used'",
    "uses_held_are_left": "ALTER TABLE vouchers_voucher DROP CONSTRAINT voucher_is_never_overused;"
    " UPDATE vouchers_voucher SET uses_held = 2",
    "uses_held_are_its_live_holds": "UPDATE vouchers_hold SET ended_at = now(), outcome = 'released'",
    "voucher_status_follows_its_facts": "UPDATE vouchers_voucher SET status = 'used' WHERE status = 'issued'",
    "voucher_paid_is_its_uses": "UPDATE vouchers_voucher SET use_amounts_fen = ARRAY[1]",
    "use_is_consumed_once": A_COPY_OF_THE_REDEMPTION,
    "use_is_one_of_its_voucher": "UPDATE vouchers_redemption SET serial = 9",
    "use_is_worth_what_was_paid_for_it": "UPDATE vouchers_redemption SET amount_fen = amount_fen + 1",
    "held_use_is_not_consumed": "UPDATE vouchers_hold SET ended_at = NULL, outcome = NULL",
    "held_use_is_one_of_its_voucher": "UPDATE vouchers_hold SET serial = 2",
    "hold_ends_with_its_outcome": "ALTER TABLE vouchers_hold DROP CONSTRAINT hold_ends_with_its_outcome;"
    " UPDATE vouchers_hold SET ended_at = now() WHERE outcome IS NULL",
    "confirmed_hold_is_a_redemption": "UPDATE vouchers_hold SET source_id = gen_random_uuid()",
    "request_is_done_with_its_redemptions": "UPDATE vouchers_redemptionrequest SET outcome = 'refused'",
    "undecided_request_holds_its_uses": "UPDATE vouchers_hold SET expires_at = created_at + interval '1 hour'"
    " WHERE ended_at IS NULL",
    "request_says_what_its_platform_said": "ALTER TABLE vouchers_issuercall"
    " DROP CONSTRAINT issuer_call_is_asked_until_it_is_decided; UPDATE vouchers_issuercall SET outcome = 'refused'",
    "platform_redemption_has_its_name": "DELETE FROM vouchers_issuerredemption",
    # I5
    "account_is_the_sum_of_its_transfers": "UPDATE orders_account SET folded_fen = folded_fen + 1",
    "only_listed_accounts_are_negative": "UPDATE orders_account SET folded_fen = -9999999 WHERE kind = 'redeemed'",
    "no_provider_paid_out_more_than_it_took": "UPDATE orders_account SET folded_fen = 9999999"
    " WHERE kind = 'provider_clearing'",
    "transfer_follows_the_posting_table": "UPDATE orders_ledgertransfer SET credit_id = debit.id"
    " FROM orders_account debit WHERE debit.kind = 'provider_clearing' AND debit_id <> debit.id",
    "transfer_stays_in_its_brand": "UPDATE orders_ledgertransfer SET brand_id = gen_random_uuid()",
    "transfer_amount_is_positive": "ALTER TABLE orders_ledgertransfer DROP CONSTRAINT transfer_amount_is_positive;"
    " UPDATE orders_ledgertransfer SET amount_fen = 0 WHERE kind = 'issue'",
    "balance_is_what_the_facts_say": "DELETE FROM orders_ledgertransfer WHERE kind = 'issue'",
    "platform_owes_what_it_sold": "DELETE FROM orders_ledgertransfer WHERE kind = 'platform_subsidy'",
    "platform_owes_nothing_for_what_was_undone": "UPDATE orders_ledgertransfer SET amount_fen = amount_fen - 1"
    " WHERE kind = 'platform_reversal'",
    # I7
    "settled_use_has_its_line": "DELETE FROM orders_settlement WHERE source_kind = 'redemption'",
    "undone_use_never_settles": "ALTER TABLE vouchers_redemption DROP CONSTRAINT settled_redemption_is_not_reversed;"
    " UPDATE vouchers_redemption SET settled_at = now() WHERE reversed_at IS NOT NULL",
    "use_settles_after_its_window": "UPDATE vouchers_redemption SET settled_at = redeemed_at"
    " WHERE settled_at IS NOT NULL",
    "line_is_what_was_paid_for_its_use": "UPDATE orders_settlement SET purchase_id = gen_random_uuid()"
    " WHERE source_kind = 'redemption'",
    "settled_surcharge_has_its_line": "DELETE FROM orders_settlement WHERE source_kind = 'surcharge'",
    "surcharge_line_is_what_was_paid": "UPDATE orders_settlement SET till_fen = till_fen - 1"
    " WHERE source_kind = 'surcharge'",
    "settled_order_has_its_line": "DELETE FROM orders_settlement WHERE source_kind = 'store_order'",
    "order_line_is_what_was_due": "UPDATE orders_settlement SET (paid_fen, share_fen, entity_fen) ="
    " (paid_fen + 1, share_fen + 1, entity_fen + 1) WHERE source_kind = 'store_order'",
    "refund_after_use_is_taken_back": "DELETE FROM orders_settlement WHERE source_kind = 'after_use'",
    "no_more_is_refunded_than_was_paid": "UPDATE orders_settlement SET (paid_fen, share_fen, entity_fen) ="
    " (paid_fen - 900, share_fen - 900, entity_fen - 900) WHERE source_kind = 'after_use'",
    "line_is_posted_to_everybody": "DELETE FROM orders_ledgertransfer WHERE kind = 'agency_share'",
    "line_is_posted_to_its_own_parties": "UPDATE orders_settlement SET promoter_id = gen_random_uuid()"
    " WHERE promoter_id IS NOT NULL",
    "statement_is_the_sum_of_its_lines": "UPDATE orders_storestatement SET lines = lines + 1",
    "closed_statement_never_changes": "UPDATE orders_closedstatement SET lines = lines + 1",
    "each_batch_of_lines_left_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'settlement.booked'",
    # I6
    "captured_is_all_accounted_for": "DELETE FROM orders_ledgertransfer WHERE kind = 'redemption'",
    "paid_purchase_was_captured_in_full": "DELETE FROM orders_ledgertransfer WHERE kind = 'capture'",
    "captured_payment_is_wanted_or_on_its_way_back": "DELETE FROM orders_refund WHERE source_kind = 'unwanted_capture'",
    "capture_is_posted_in_full": "UPDATE orders_payment SET captured_fen = captured_fen + 1",
    "issue_is_posted": "UPDATE orders_ledgertransfer SET amount_fen = amount_fen + 1 WHERE kind = 'issue'",
    "redemption_is_posted": "UPDATE orders_ledgertransfer SET amount_fen = 1 WHERE kind = 'redemption'",
    "reversal_is_posted": "DELETE FROM orders_ledgertransfer WHERE kind = 'reversal'",
    "refund_is_posted": "UPDATE orders_ledgertransfer SET kind = 'refund_expired' WHERE kind = 'refund_unused'",
    "paid_refund_is_posted": "DELETE FROM orders_ledgertransfer WHERE kind = 'refund_paid'",
    "refunds_are_what_the_uses_cost": "UPDATE vouchers_useending SET refunding_at = NULL, refunded_at = NULL,"
    " expired_at = now()",
    "breakage_is_posted": "DELETE FROM orders_ledgertransfer WHERE kind = 'breakage'",
    "transfer_has_its_source": "UPDATE orders_ledgertransfer SET source_id = gen_random_uuid() WHERE kind = 'issue'",
    # I7
    "settled_stock_was_sold_once": "DELETE FROM stores_stockmovement WHERE kind = 'sale'",
    "returned_stock_was_put_back_once": "DELETE FROM stores_stockmovement WHERE kind = 'put_back'",
    "live_redemption_took_its_stock": "UPDATE stores_stockreservation SET state = 'released'"
    " WHERE source_kind = 'redemption'",
    "order_took_what_was_ordered": "UPDATE stores_stockreservation SET quantity = quantity + 1"
    " WHERE source_kind = 'store_order'",
    "order_is_made_when_it_is_ready": "UPDATE stores_stockreservation SET made_at = reserved_at"
    " WHERE source_kind = 'store_order'",
    "remake_takes_stock_once_decided": "UPDATE stores_stockmovement SET kind = 'sale' WHERE kind = 'remake'",
    "done_remake_has_its_line": "DELETE FROM orders_settlement WHERE source_kind = 'remake'",
    "remake_is_at_the_cost_of_who_bears_it": "UPDATE orders_settlement SET entity_fen = entity_fen + 1,"
    " share_fen = share_fen + 1, brand_fen = brand_fen - 1 WHERE source_kind = 'remake'",
    "material_was_consumed_once": "DELETE FROM stores_stockmovement WHERE kind = 'consumed'",
    "returned_material_was_restored_once": "DELETE FROM stores_stockmovement WHERE kind = 'restored'",
    "material_was_consumed_by_its_recipe": "UPDATE stores_recipeline SET quantity = quantity + 1",
    "live_cups_use_their_materials": "UPDATE stores_materialuse SET state = 'returned' WHERE state = 'consumed'",
    "made_order_used_materials": "DELETE FROM stores_materialuse WHERE source_kind = 'store_order'",
    # I8
    "stock_act_moved_what_it_says": "UPDATE stores_stockact SET lines = '[]' WHERE kind = 'receipt'",
    "stock_act_has_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'stock.receipt'",
    "transfer_state_follows_its_acts": "UPDATE stores_stocktransfer SET state = 'received', ended_at = sent_at",
    "touched_level_reserves_what_is_open": "UPDATE stores_stocklevel SET reserved = reserved + 1"
    " WHERE mode = 'counted'",
    "stock_on_hand_is_its_movements": "UPDATE stores_stocklevel SET on_hand = on_hand + 1 WHERE mode = 'counted'",
    "stock_reserved_is_its_open_reservations": "DELETE FROM stores_stockreservation WHERE mode = 'counted'",
    "daily_tally_is_its_reservations": "UPDATE stores_dailytally SET taken = taken + 1",
    "slot_promises_what_orders_count_in_it": "UPDATE stores_pickupslot SET cups = cups + 1",
    "slot_has_made_what_is_ready": "UPDATE stores_pickupslot SET made = CASE WHEN made > 0 THEN made - 1 ELSE 1 END",
    "reservation_ends_with_its_state": "UPDATE stores_stockreservation SET ended_at = reserved_at - interval '1 day'"
    " WHERE state = 'released'",
    # store orders
    "order_is_the_sum_of_its_lines": "UPDATE orders_storeorderline SET unit_fen = unit_fen + 1, due_fen = due_fen"
    " + quantity",
    "order_is_paid_by_its_vouchers": "DELETE FROM orders_appliedvoucher",
    "order_status_agrees_with_its_times": "ALTER TABLE orders_storeorder"
    " DROP CONSTRAINT store_order_status_agrees_with_its_times; UPDATE orders_storeorder SET ready_at = NULL",
    "confirmed_order_redeemed_its_uses": "DELETE FROM vouchers_redemption WHERE reversible_until IS NOT NULL",
    "undone_order_gave_its_uses_back": "ALTER TABLE vouchers_redemption"
    " DROP CONSTRAINT settled_redemption_is_not_reversed;"
    " UPDATE vouchers_redemption SET reversed_at = redeemed_at,"
    " reversal_request_id = id WHERE request_id IN (SELECT redemption_request_id FROM orders_storeorder)",
    "window_begins_when_the_order_is_ready": "UPDATE vouchers_redemption SET reversible_until = NULL",
    "held_use_is_a_placed_orders": "UPDATE orders_storeorder SET status = 'lapsed', lapsed_at = now()"
    " WHERE status = 'placed'",
    "reserved_cups_are_an_orders": "UPDATE stores_stockreservation SET source_id = gen_random_uuid()"
    " WHERE state = 'open'",
    "confirmed_order_was_paid_in_full": "DELETE FROM orders_ledgertransfer WHERE kind = 'order_capture'",
    "undone_order_is_refunded_in_full": "DELETE FROM orders_ledgertransfer WHERE kind = 'refund_order'",
    "order_act_has_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'store_order.ready'",
    "orders_that_ended_have_their_trail": "DELETE FROM kernel_auditentry WHERE act = 'store_order.rejected'",
    "substitute_of_an_order_is_logged": "DELETE FROM stores_substitution WHERE source_kind = 'store_order'",
    "substitute_that_a_use_paid_for_is_logged": "DELETE FROM stores_substitution WHERE source_kind = 'redemption'",
    "substitution_is_of_its_line": "UPDATE orders_storeorderline SET instead_of_id = NULL",
    # PO
    "payout_is_posted_as_far_as_it_has_come": "DELETE FROM orders_ledgertransfer WHERE kind = 'payout_back'",
    "payout_goes_to_its_own_entity": "UPDATE orders_payout SET brand_id = gen_random_uuid()",
    "payout_batch_has_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'payout_batch.made'",
    # IN
    "invoice_is_its_lines": "UPDATE orders_invoiceline SET amount_fen = amount_fen + 1",
    "invoice_is_of_its_seller_and_customer": "UPDATE orders_invoice SET customer_id = gen_random_uuid()",
    "no_more_is_taken_off_than_was_invoiced": "UPDATE orders_invoice SET amount_fen = -9900, refunded_fen = 9900"
    " WHERE kind = 'red'",
    "invoice_has_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'invoice.asked'",
    "invoiced_line_is_what_was_paid": "UPDATE orders_invoiceline SET amount_fen = amount_fen - 1",
    "all_of_an_invoiced_use_is_invoiced": "DELETE FROM orders_invoiceline WHERE amount_fen < 0",
    # RC
    "every_line_is_accounted_for": "UPDATE orders_billfile SET line_count = line_count + 1",
    "every_fact_of_the_day_is_accounted_for": "UPDATE orders_billfile SET known_count = known_count + 1",
    "bill_has_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'bill.taken'",
    "difference_is_worked_off_by_somebody": "DELETE FROM kernel_auditentry WHERE act = 'difference.explained'",
    "difference_is_explained_by_its_own_bills": "UPDATE orders_billdifference SET outcome = 'other_day', reason = NULL,"
    " explained_by_id = bill_id, provider = 'another'",
    "closed_day_is_explained": "UPDATE orders_billdifference SET closed_at = NULL, outcome = NULL, reason = NULL",
    "closed_day_says_what_its_bill_says": "UPDATE orders_dayclose SET captured_fen = captured_fen + 1",
    "day_close_has_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'day.closed'",
    # I9
    "purchase_status_agrees_with_its_times": "ALTER TABLE orders_purchase"
    " DROP CONSTRAINT purchase_status_agrees_with_its_times;"
    " UPDATE orders_purchase SET paid_at = NULL WHERE status = 'paid'",
    "purchase_status_says_what_was_refunded": "UPDATE orders_purchase SET status = 'issued' WHERE status = 'refunded'",
    "payment_status_agrees_with_its_time": "ALTER TABLE orders_payment"
    " DROP CONSTRAINT payment_is_captured_when_and_how_much; UPDATE orders_payment SET captured_at = NULL",
    "refund_status_agrees_with_its_time": "ALTER TABLE orders_refund"
    " DROP CONSTRAINT refund_status_agrees_with_its_time; UPDATE orders_refund SET succeeded_at = NULL",
    "offer_state_agrees_with_its_times": "ALTER TABLE vouchers_offer"
    " DROP CONSTRAINT offer_state_agrees_with_its_times; UPDATE vouchers_offer SET state = 'closed'",
    "use_ending_has_a_reason": "ALTER TABLE vouchers_useending DROP CONSTRAINT use_ending_has_a_reason;"
    " UPDATE vouchers_useending SET expired_at = NULL",
    "use_is_refunded_after_refunding": "UPDATE vouchers_useending"
    " SET refunding_at = refunded_at + interval '1 day' WHERE refunded_at IS NOT NULL",
    "redemption_has_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'voucher.redeem'",
    "reversal_has_its_trail": "UPDATE kernel_auditentry SET actor_id = gen_random_uuid() WHERE act = 'voucher.reverse'",
    "refund_request_has_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'voucher.refund'",
    "grant_has_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'grant.made'",
    "grant_reversal_has_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'grant.reversed'",
    "grant_reversal_turns_every_batch": "UPDATE vouchers_grantbatch SET state = 'issued', reversed_at = NULL,"
    " taken_back = 0 WHERE state = 'reversed'",
    "machine_batches_have_their_trail": "DELETE FROM kernel_auditentry WHERE act = 'purchases.issued'",
    "announced_batch_waits_or_is_delivered": """
        INSERT INTO stores_webhooksubscription (id, brand_id, url, secret_encrypted, topics, created_at)
            SELECT gen_random_uuid(), id, 'https://example.com', '', '{vouchers.issued}', created_at FROM stores_brand;
        UPDATE kernel_outboxmessage SET dispatched_at = occurred_at
    """,
    "surcharge_is_posted": "UPDATE orders_surcharge SET amount_fen = amount_fen + 1 WHERE way = 'till'",
    "surcharge_goes_back_as_it_came": "DELETE FROM orders_refund WHERE source_kind = 'surcharge'",
    "surcharge_of_an_undone_redemption_goes_back": """
        UPDATE orders_surcharge SET status = 'paid', returning_at = NULL WHERE status = 'returning'
    """,
    "recall_has_its_trail": "DELETE FROM kernel_auditentry WHERE act = 'recall.begun'",
    "recalled_terms_are_not_sold": """
        UPDATE vouchers_offer offer SET state = 'open', closed_at = NULL
        FROM vouchers_recall recall WHERE recall.terms_id = offer.terms_id
    """,
}

RULES = {
    rule: check
    for invariant in auditing.invariants()
    if invariant.number != references.NUMBER
    for check in invariant.checks
    for rule in check.rules
}
REFERENCES = {rule: check for check in references.invariant().checks for rule in check.rules}


def look_everywhere() -> list[Result]:
    return auditing.look(slices.whole())


def look_at_the_last_hour() -> list[Result]:
    _, results = auditing.look_at_recent(minutes=60, limit=1_000, at=datetime.now(UTC))
    return results


def broken(results: Sequence[Result]) -> set[str]:
    return {rule for result in results for rule in result.broken}


def test_every_rule_has_its_corruption() -> None:
    assert CORRUPTIONS.keys() == RULES.keys()


def test_a_world_whose_books_agree_breaks_no_rule() -> None:
    world.build()
    fold_transfers(limit=5, at=NOW)

    everything, last_hour = look_everywhere(), look_at_the_last_hour()

    assert broken(everything) == broken(last_hour) == set()
    assert all(result.rows for result in everything if result.check != "announcements"), "each saw some rows"
    assert {result.check for result in last_hour if not result.rows} == set()


@contextmanager
def taken_back() -> Iterator[None]:
    """One world is enough for many corruptions, each of which is undone."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_corruption_is_caught_by_the_name_of_its_rule(part: int, subtests: pytest.Subtests) -> None:
    world.build()

    for rule in list(CORRUPTIONS)[part::PARTS]:
        with subtests.test(rule), taken_back():
            corrupt(CORRUPTIONS[rule])

            everything = look_everywhere()
            assert rule in broken(everything)
            [result] = [result for result in everything if rule in result.broken]
            assert 1 <= len(result.first[rule]) <= result.broken[rule], "the first offending rows are named"
            if RULES[rule].in_slices:
                assert rule in broken(look_at_the_last_hour())


def test_a_redemption_from_the_wallet_needs_its_customers_trail() -> None:
    world.build()

    corrupt("DELETE FROM kernel_auditentry WHERE act = 'voucher.redeem' AND actor_kind = 'customer'")

    assert broken(look_everywhere()) == broken(look_at_the_last_hour()) == {"redemption_has_its_trail"}


@pytest.mark.parametrize("part", range(PARTS))
def test_an_orphan_is_caught_by_the_name_of_its_reference(part: int, subtests: pytest.Subtests) -> None:
    world.build()

    for rule in list(REFERENCES)[part::PARTS]:
        table, _, column = REFERENCES[rule].name.partition(".")
        with subtests.test(rule), taken_back():
            corrupt(f"UPDATE {table} SET {column} = gen_random_uuid() WHERE {column} IS NOT NULL")  # noqa: S608 - ours

            assert rule in broken(look_everywhere())


def test_a_deleted_account_is_caught() -> None:
    world.build()
    fold_transfers(limit=LedgerTransfer.objects.count(), at=NOW)

    corrupt("DELETE FROM orders_account WHERE kind = 'breakage'")

    assert {"account_is_the_sum_of_its_transfers", "orders_ledgertransfer_credit_is_there"} <= broken(look_everywhere())
