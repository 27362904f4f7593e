"""amendments.publish changes published terms in the customers' favour only, at once and for every sold voucher."""

import io
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import IdempotencyConflict
from config.kernel.models import AuditEntry, OutboxMessage
from stores.errors import StoreFileRefused, StoreIsPromised, StoreNotFound
from stores.models import Region, Store, StoreGroup, StoreGroupMember
from stores.services import groups, opening, regions, store_import
from stores.services.store_import import Reading
from tests import factories
from tests.factories import NOW
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_customer, as_staff, error_of, get, post
from vouchers import errors, queries, tasks
from vouchers.models import Amendment, DealTerms, TermsRevision, Voucher
from vouchers.queries import wallet
from vouchers.services import amendments, expiry, extending
from vouchers.services.reversal import reverse
from vouchers.verdict import valid_until_of

pytestmark = pytest.mark.django_db(transaction=True)

BY = Caller(kind=CallerKind.STAFF, id=uuid4())
FIXED: dict[str, Any] = {
    "validity": "fixed",
    "usable_days": None,
    "usable_from": NOW - timedelta(days=1),
    "usable_until": NOW + timedelta(days=10),
}
LATER = NOW + timedelta(days=20)


def amend(terms: DealTerms, *, at: datetime = NOW, **changes: Any) -> Amendment:
    return amendments.publish(terms=terms, changes=changes, reason="台风", request_id=uuid4(), by=BY, at=at).row


def until_of(voucher: Voucher) -> datetime:
    voucher.refresh_from_db()
    return valid_until_of(voucher, queries.terms([voucher.terms_id])[voucher.terms_id])


# --- only in the customer's favour ------------------------------------------------------------------

RULES: dict[str, Any] = {
    "weekdays": [1, 2],
    "day_spans": [["10:00", "14:00"]],
    "blackout_dates": [date(2026, 6, 9)],
    "special_dates": [date(2026, 6, 14)],
    "holiday_rule": "excluded",
    "makeup_rule": "own_weekday",
    "dearer_stores": "pay_difference",
    "min_spend_fen": 5_000,
    "stacking_group": "tea",
    "max_per_order": 2,
    "refundable_unused": False,
    "refunds_on_expiry": False,
}
IN_FAVOUR: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"usable_days": 31}),
    (FIXED, {"usable_until": LATER}),
    ({}, {"weekdays": [1, 2, 3]}),
    ({}, {"weekdays": []}),
    ({}, {"day_spans": [["09:00", "12:00"], ["12:00", "15:00"]]}),
    ({}, {"day_spans": []}),
    ({}, {"blackout_dates": []}),
    ({}, {"special_dates": [date(2026, 6, 14), date(2026, 6, 21)]}),
    ({}, {"holiday_rule": "usable"}),
    ({}, {"makeup_rule": "workday"}),
    ({}, {"dearer_stores": "included"}),
    ({}, {"min_spend_fen": 0}),
    ({}, {"stacking_group": ""}),
    ({}, {"max_per_order": 3}),
    ({}, {"max_per_order": None}),
    ({}, {"refundable_unused": True}),
    ({}, {"refunds_on_expiry": True}),
]
AGAINST: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"usable_days": 29}),
    ({}, {"usable_until": LATER}),
    (FIXED, {"usable_days": 300}),
    (FIXED, {"usable_until": NOW + timedelta(days=9)}),
    ({}, {"weekdays": [2, 3, 4, 5]}),
    ({"weekdays": []}, {"weekdays": [1, 2, 3, 4, 5, 6]}),
    ({}, {"day_spans": [["09:00", "13:59"]]}),
    ({"day_spans": []}, {"day_spans": [["00:00", "23:00"]]}),
    ({"day_spans": [["18:00", "26:00"]]}, {"day_spans": []}),
    ({}, {"blackout_dates": [date(2026, 6, 9), date(2026, 6, 10)]}),
    ({}, {"blackout_dates": [date(2026, 6, 10)]}),
    ({}, {"special_dates": []}),
    ({"holiday_rule": "usable"}, {"holiday_rule": "excluded"}),
    ({}, {"holiday_rule": "only"}),
    ({"weekdays": [6, 7]}, {"makeup_rule": "workday"}),
    ({"makeup_rule": "workday"}, {"makeup_rule": "own_weekday"}),
    ({}, {"dearer_stores": "excluded"}),
    ({}, {"min_spend_fen": 5_001}),
    ({}, {"stacking_group": "lunch"}),
    ({}, {"max_per_order": 1}),
    ({"refundable_unused": True}, {"refundable_unused": False}),
    ({"refunds_on_expiry": True}, {"refunds_on_expiry": False}),
]


@pytest.mark.parametrize(("own", "changes"), IN_FAVOUR)
def test_what_only_gives_is_taken_and_holds_at_once(
    counter: Counter, own: dict[str, Any], changes: dict[str, Any]
) -> None:
    terms = counter.terms(**{**RULES, **own})
    before, row = queries.terms([terms.id])[terms.id], DealTerms.objects.filter(pk=terms.pk).values().get()

    amendment = amend(terms, **changes)

    after = queries.terms([terms.id])[terms.id]
    assert after != before
    assert (amendment.number, after.revision) == (1, 1)
    assert DealTerms.objects.filter(pk=terms.pk).values().get() == row, "what was published stays as it was"


@pytest.mark.parametrize(("own", "changes"), AGAINST)
def test_what_could_take_is_refused_by_name(counter: Counter, own: dict[str, Any], changes: dict[str, Any]) -> None:
    terms = counter.terms(**{**RULES, **own})

    with pytest.raises(errors.AmendmentNotInFavour) as refusal:
        amend(terms, **changes)

    assert refusal.value.param == next(iter(changes))
    assert not TermsRevision.objects.exists()


@pytest.mark.parametrize(
    ("own", "day"),
    [
        ({"blackout_dates": [date(2026, 6, 9)]}, date(2026, 6, 9)),
        (FIXED, date(2026, 6, 21)),
        ({}, date(2026, 5, 28)),
    ],
)
def test_a_special_day_that_is_a_blackout_or_outside_the_validity_is_refused(
    counter: Counter, own: dict[str, Any], day: date
) -> None:
    terms = counter.terms(**own)

    with pytest.raises(errors.TermsInvalid) as refusal:
        amend(terms, special_dates=[day])

    assert refusal.value.param == "special_dates"
    assert not TermsRevision.objects.exists()


def test_a_special_day_may_replace_a_blackout_and_lie_in_what_an_amendment_added(counter: Counter) -> None:
    terms = counter.terms(**{**FIXED, "blackout_dates": [date(2026, 6, 9)], "special_dates": [date(2026, 6, 2)]})

    amend(terms, blackout_dates=[], special_dates=[date(2026, 6, 2), date(2026, 6, 9)])
    amend(terms, usable_until=LATER)
    amend(terms, special_dates=[date(2026, 6, 2), date(2026, 6, 9), date(2026, 6, 18)], at=NOW + timedelta(days=9))

    assert len(queries.terms([terms.id])[terms.id].special_dates) == 3


def test_every_amendable_rule_is_tried_both_ways() -> None:
    tried = [{name for _, changes in cases for name in changes} for cases in (IN_FAVOUR, AGAINST)]

    scopes = {"store_scope", "product_scope"}
    assert tried[0] | scopes == tried[1] | scopes == set(queries.frozen_terms.AMENDABLE)


def test_scopes_only_grow_by_name(counter: Counter) -> None:
    group = StoreGroup.objects.create(brand=counter.brand, code="air", name="机场店", created_at=NOW)
    other = factories.store(counter.brand)
    StoreGroupMember.objects.create(group=group, store=other)
    here, there = counter.store.public_id, other.public_id
    terms = counter.terms(store_scope={"stores": [here], "except_stores": [there]})

    for narrower in ({"stores": [there]}, {"stores": [here], "except_groups": [group.public_id]}):
        with pytest.raises(errors.AmendmentNotInFavour):
            amend(terms, store_scope=narrower)
    with pytest.raises(errors.TermsInvalid):
        amend(terms, store_scope={"stores": [here, f"sto_{uuid4().hex}"]})

    amend(terms, store_scope={"stores": [here], "groups": [group.public_id]})
    assert queries.terms([terms.id])[terms.id].scope.honours(other.id, (), {group.id})
    with pytest.raises(errors.AmendmentNotInFavour):
        amend(terms, store_scope={"stores": [here]})
    amend(terms, store_scope={"everywhere": True})


def test_products_only_join_and_substitutes_add_up(counter: Counter) -> None:
    tea, milk, cake = (factories.product(counter.brand) for _ in range(3))
    terms = counter.terms(product_scope={"products": [tea.public_id]})

    with pytest.raises(errors.AmendmentNotInFavour):
        amend(terms, product_scope={"products": [milk.public_id]})
    with pytest.raises(errors.TermsInvalid):
        amend(terms, substitutes={tea.public_id: [factories.product(factories.brand()).public_id]})
    amend(terms, substitutes={tea.public_id: [milk.public_id]})
    amend(terms, substitutes={tea.public_id: [cake.public_id]})

    assert queries.terms([terms.id])[terms.id].substitutes == {tea.id: (milk.id, cake.id)}


def test_what_the_terms_say_already_is_no_amendment(counter: Counter) -> None:
    terms = counter.terms(min_spend_fen=5_000)

    for changes in ({}, {"min_spend_fen": 5_000}, {"weekdays": []}):
        with pytest.raises(errors.AmendmentChangesNothing):
            amend(terms, **changes)


# --- once, numbered, told ---------------------------------------------------------------------------


def test_it_is_numbered_told_and_written_once(counter: Counter) -> None:
    terms = counter.terms(min_spend_fen=5_000)

    first, second = amend(terms, min_spend_fen=4_000), amend(terms, min_spend_fen=3_000)

    assert (first.number, second.number, second.changes) == (1, 2, {"min_spend_fen": 3_000})
    assert AuditEntry.objects.filter(act="terms.amended", actor_id=BY.id).count() == 2
    assert OutboxMessage.objects.filter(topic="terms.amended").count() == 2
    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        Amendment.objects.update(reason="x")


def test_a_repeat_is_the_same_amendment_and_other_content_is_refused(counter: Counter) -> None:
    terms, key = counter.terms(min_spend_fen=5_000), uuid4()

    def ask(fen: int) -> Any:
        changes = {"min_spend_fen": fen}
        return amendments.publish(terms=terms, changes=changes, reason="台风", request_id=key, by=BY, at=NOW)

    first, again = ask(4_000), ask(4_000)

    assert (again.row, again.is_new, first.is_new) == (first.row, False, True)
    with pytest.raises(IdempotencyConflict):
        ask(3_000)


def test_every_process_follows_with_its_next_redemption_and_no_further_statement(counter: Counter) -> None:
    terms = counter.terms(min_spend_fen=5_000)
    one, other, third = counter.vouchers(terms, count=3)
    with pytest.raises(errors.BillAmountRequired):
        counter.redeem(one.code)

    amend(terms, min_spend_fen=0)

    assert len(counter.redeem(one.code).uses) == 1
    counter.redeem(other.code)
    with CaptureQueriesContext(connection) as captured:
        counter.redeem(third.code)
    asked = [one["sql"] for one in captured if not one["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))]
    assert len(asked) <= 8


# --- longer -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [{}, FIXED])
def test_sold_vouchers_last_longer_at_once_and_are_moved_later_in_batches(
    counter: Counter, own: dict[str, Any]
) -> None:
    terms = counter.terms(**own)
    vouchers, used = counter.vouchers(terms, count=5), counter.voucher(terms)
    counter.redeem(used.code)
    before = vouchers[0].valid_until
    changes = {"usable_until": LATER} if own else {"usable_days": 37}
    after = LATER if own else before + timedelta(days=7)

    amend(terms, **changes)

    assert {until_of(voucher) for voucher in vouchers} == {after}
    assert Voucher.objects.filter(valid_until=before).count() == 6, "nobody has moved any yet"
    assert (
        wallet.detail(vouchers[0].customer_id, vouchers[0].id, at=after - timedelta(seconds=1)).refund_now.refusal
        is None
    )
    assert [extending.extend_sold(limit=2, at=NOW) for _ in range(4)] == [2, 2, 1, 0]
    assert set(Voucher.objects.filter(status="issued").values_list("valid_until", "extensions")) == {(after, 1)}
    assert {until_of(voucher) for voucher in vouchers} == {after}, "and counted once"
    assert AuditEntry.objects.filter(act="vouchers.extended").count() == 3
    told = OutboxMessage.objects.filter(topic="vouchers.extended").values_list("item_count", flat=True)
    assert sorted(told) == [1, 2, 2]


def test_a_voucher_issued_after_it_gets_it_too(counter: Counter) -> None:
    terms = counter.terms()
    amend(terms, usable_days=37)

    voucher = counter.voucher(terms)

    bought_on = datetime(2026, 6, 1, 16, tzinfo=UTC)  # the midnight after NOW in Shanghai
    assert until_of(voucher) == bought_on + timedelta(days=37)
    tasks.extend_sold()
    assert until_of(voucher) == bought_on + timedelta(days=37)


def test_days_are_the_brands_own_across_a_change_of_clocks() -> None:
    brand = factories.brand(zone="Europe/Berlin")
    terms = factories.terms(factories.deal(brand))
    store = factories.store(brand)
    shop = Counter(brand, factories.entity(brand), store, factories.staff(brand, store=store).user)
    voucher = shop.voucher(terms, bought_at=datetime(2026, 9, 20, 12, tzinfo=UTC))
    assert voucher.valid_until == datetime(2026, 10, 20, 22, tzinfo=UTC)

    amend(terms, usable_days=40)

    assert until_of(voucher) == datetime(2026, 10, 30, 23, tzinfo=UTC), "midnight in winter"
    assert extending.extend_sold(limit=9, at=NOW) == 1
    voucher.refresh_from_db()
    assert voucher.valid_until == datetime(2026, 10, 30, 23, tzinfo=UTC), "SQL and Python agree"


def test_what_is_due_but_was_given_more_time_is_moved_and_not_expired(counter: Counter) -> None:
    terms = counter.terms()
    given, other = counter.voucher(terms), counter.voucher()
    due = given.valid_until
    amend(terms, usable_days=37)

    assert expiry.expire_due(limit=10, at=due) == 2

    given.refresh_from_db()
    other.refresh_from_db()
    assert (given.status, given.valid_until) == ("issued", due + timedelta(days=7))
    assert other.status == "expired"
    assert len(counter.redeem(given.code, at=due).uses) == 1


def test_what_has_expired_stays_so(counter: Counter) -> None:
    terms = counter.terms()
    voucher = counter.voucher(terms)
    expiry.expire_due(limit=10, at=voucher.valid_until)

    amend(terms, usable_days=37, at=voucher.valid_until)

    assert extending.extend_sold(limit=9, at=voucher.valid_until) == 0
    with pytest.raises(errors.VoucherExpired):
        counter.redeem(voucher.code, at=voucher.valid_until)


def test_an_undo_gives_what_amendments_gave_meanwhile(counter: Counter) -> None:
    terms = counter.terms()
    voucher = counter.voucher(terms)
    last_minute = voucher.valid_until - timedelta(minutes=1)
    [use] = counter.redeem(voucher.code, at=last_minute).uses
    amend(terms, usable_days=37, at=last_minute)

    reverse(
        redemption_id=use.redemption_id,
        operator=counter.clerk,
        request_id=uuid4(),
        at=voucher.valid_until + timedelta(minutes=1),
    )

    before = voucher.valid_until
    assert until_of(voucher) == before + timedelta(days=7)
    assert extending.extend_sold(limit=9, at=NOW) == 0


# --- groups that were promised ----------------------------------------------------------------------


def test_a_group_that_sold_vouchers_rely_on_loses_no_store(counter: Counter) -> None:
    group = StoreGroup.objects.create(brand=counter.brand, code="air", name="机场店", created_at=NOW)
    StoreGroupMember.objects.create(group=group, store=counter.store)
    more = factories.store(counter.brand)
    inside = counter.terms(store_scope={"groups": [group.public_id]})
    outside = counter.terms(store_scope={"except_groups": [group.public_id]})

    def change(**stores: Any) -> None:
        asked = {"joining": [], "leaving": [], **stores}
        groups.change_members(brand_id=counter.brand.id, group_id=group.id, by=BY, at=NOW, **asked)

    change(joining=[more.id], leaving=[counter.store.id])  # nobody holds any voucher yet
    change(joining=[counter.store.id], leaving=[more.id])
    held = counter.voucher(inside)
    with pytest.raises(StoreIsPromised) as refusal:
        change(leaving=[counter.store.id])
    assert refusal.value.details == {"terms": [inside.public_id]}
    change(joining=[more.id])
    counter.voucher(outside)
    with pytest.raises(StoreIsPromised):
        change(joining=[factories.store(counter.brand).id])
    counter.redeem(held.code)
    change(leaving=[more.id])
    amend(outside, store_scope={"everywhere": True})
    change(joining=[more.id])


# --- regions and dearer stores that were promised ---------------------------------------------------


@pytest.fixture
def tree(counter: Counter) -> dict[str, Region]:
    """The counter's store is in HZ, which is in ZJ; another store is in SH."""
    made: dict[str, Region] = {}
    for code, parent in (("ZJ", None), ("SH", None), ("HZ", "ZJ"), ("WZ", "ZJ")):
        above = made.get(parent or "")
        made[code] = Region.objects.create(brand=counter.brand, code=code, name=code, parent=above)
    Store.objects.filter(id=counter.store.id).update(region=made["HZ"])
    factories.store(counter.brand, region=made["SH"])
    return made


def edit_store(counter: Counter, **changes: Any) -> None:
    opening.edit(store_id=counter.store.id, changes=changes, by=BY, at=NOW)  # type: ignore[arg-type]


def take_list(counter: Counter, *rows: tuple[str, str]) -> None:
    text = "\n".join(["编码,门店名称,区域", *(f"{code},店,{region}" for code, region in rows)])
    source = io.BytesIO(text.encode())
    store_import.import_stores(brand_id=counter.brand.id, source=source, reading=Reading(), by=BY, at=NOW)


def test_a_store_leaves_no_region_that_sold_vouchers_rely_on(counter: Counter, tree: dict[str, Region]) -> None:
    inside = counter.terms(store_scope={"regions": [tree["ZJ"].public_id]})
    edit_store(counter, region_id=tree["SH"].id)  # nobody holds any voucher yet
    edit_store(counter, region_id=tree["HZ"].id)
    held = counter.voucher(inside)

    for elsewhere in (tree["SH"].id, None):
        with pytest.raises(StoreIsPromised) as refusal:
            edit_store(counter, region_id=elsewhere)
        assert refusal.value.details == {"terms": [inside.public_id]}
    edit_store(counter, region_id=tree["WZ"].id, name="还在浙江")
    counter.redeem(held.code)
    edit_store(counter, region_id=tree["SH"].id)


def test_a_store_enters_no_region_that_sold_vouchers_except(counter: Counter, tree: dict[str, Region]) -> None:
    counter.voucher(counter.terms(store_scope={"except_regions": [tree["SH"].public_id]}))

    with pytest.raises(StoreIsPromised):
        edit_store(counter, region_id=tree["SH"].id)
    edit_store(counter, region_id=None)


def test_going_from_one_named_region_to_another_loses_nothing(counter: Counter, tree: dict[str, Region]) -> None:
    counter.voucher(counter.terms(store_scope={"regions": [tree[code].public_id for code in ("HZ", "SH")]}))

    edit_store(counter, region_id=tree["SH"].id)


def test_a_region_with_stores_moves_out_of_none_that_sold_vouchers_rely_on(
    counter: Counter, tree: dict[str, Region]
) -> None:
    counter.voucher(counter.terms(store_scope={"regions": [tree["ZJ"].public_id]}))

    def move(code: str, parent: str | None) -> None:
        changes = {"parent_id": tree[parent].id if parent else None}
        regions.edit(brand_id=counter.brand.id, region_id=tree[code].id, changes=changes, by=BY, at=NOW)  # type: ignore[arg-type]

    for parent in ("SH", None):
        with pytest.raises(StoreIsPromised):
            move("HZ", parent)
    move("WZ", "SH")  # no store is there
    move("ZJ", "SH")  # everything below comes along


def test_a_store_becomes_no_dearer_for_vouchers_that_leave_those_out(counter: Counter) -> None:
    other = factories.store(counter.brand)
    counter.voucher(counter.terms(dearer_stores="excluded", store_scope={"stores": [other.public_id]}))
    counter.voucher(counter.terms(dearer_stores="pay_difference"))
    edit_store(counter, is_dearer=True)
    edit_store(counter, is_dearer=False)
    counter.voucher(counter.terms(dearer_stores="excluded"))

    with pytest.raises(StoreIsPromised):
        edit_store(counter, is_dearer=True)
    counter.store.refresh_from_db()
    assert not counter.store.is_dearer


def test_a_list_that_moves_a_promised_store_is_refused_with_its_line(counter: Counter, tree: dict[str, Region]) -> None:
    counter.voucher(counter.terms(store_scope={"regions": [tree["ZJ"].public_id]}))
    here = counter.store.code

    with pytest.raises(StoreFileRefused) as refusal:
        take_list(counter, ("NEW", "SH"), (here, "SH"))
    told = [problem.told() for problem in refusal.value.problems]
    assert told == [{"line": 3, "code": "store_is_promised", "column": "region", "value": "SH"}]
    take_list(counter, ("NEW", "SH"), (here, "WZ"))
    assert Store.objects.get(id=counter.store.id).region == tree["WZ"]


# --- over HTTP --------------------------------------------------------------------------------------


def test_over_http_a_brand_amends_and_everybody_reads_the_rules(counter: Counter) -> None:
    terms = counter.terms(min_spend_fen=5_000, store_scope={"stores": [counter.store.public_id]})
    operator = as_staff(factories.staff(counter.brand, role="operator").user)
    stranger = as_staff(factories.staff(factories.brand(), role="operator").user)
    her = as_customer(factories.customer(counter.brand))
    foreign = as_customer(factories.customer(factories.brand()))
    path, key = f"terms/{terms.public_id}/amendments", uuid4()

    made = post(path, operator, {"reason": "台风", "min_spend_fen": 3_000}, key=key)
    again = post(path, operator, {"reason": "台风", "min_spend_fen": 3_000}, key=key)

    assert (made.status_code, again.status_code, made.json()) == (201, 200, again.json())
    assert (made.json()["number"], made.json()["changes"]) == (1, {"min_spend_fen": 3_000})
    assert [one["id"] for one in get(path, operator).json()["items"]] == [made.json()["id"]]
    assert error_of(post(path, operator, {"reason": "x", "min_spend_fen": 4_000})) == (409, "amendment_not_in_favour")
    assert error_of(post(path, operator, {"reason": "x"})) == (422, "amendment_changes_nothing")
    assert error_of(post(path, operator, {"reason": "x", "title": "y"}))[0] == 422
    assert error_of(post(path, operator, {"reason": "x", "substitutes": {"tea": ["milk"]}})) == (422, "terms_invalid")
    assert error_of(post(path, stranger, {"reason": "x", "min_spend_fen": 0})) == (404, "terms_not_found")
    assert error_of(post(path, as_staff(counter.clerk), {"reason": "x", "min_spend_fen": 0})) == (403, "not_allowed")

    rules = f"terms/{terms.public_id}/rules"
    said = {one["rule"]: one for one in get(rules, her).json()["rules"]}
    assert (said["min_spend"]["zh"], said["min_spend"]["code"]) == ("满 30 元可用", "min_spend_not_reached")
    assert counter.store.name in said["store_scope"]["zh"]
    here = get(rules, her, store=counter.store.public_id, bill_fen=2_999).json()
    assert (here["is_usable"], here["refusal"]["code"]) == (False, "min_spend_not_reached")
    assert get(rules, her, store=counter.store.public_id, bill_fen=3_000).json()["is_usable"] is True
    assert error_of(get(rules, foreign)) == (404, "terms_not_found")
    away = factories.store(factories.brand()).public_id
    assert error_of(get(rules, her, store=away)) == (404, StoreNotFound.code)
