"""redemption.redeem_own lets a customer use her own vouchers, by the rules of the counter and without a clerk."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.kernel.errors import DomainError, IdempotencyConflict
from config.kernel.models import AuditEntry, OutboxMessage
from stores.models import Customer, Store
from tests import factories
from tests.factories import NOW
from tests.vouchers.counters import Counter
from tests.vouchers.counters import counter as another_counter
from vouchers import errors
from vouchers.models import Redemption, RedemptionRequest, Voucher
from vouchers.queries.answers import Redeemed
from vouchers.services.redemption import redeem_own

CARD: dict[str, Any] = {"kind": "times_card", "list_price_fen": 6_000, "use_list_fen": [3_000, 2_000, 1_000]}


@pytest.fixture
def her(counter: Counter) -> Customer:
    return factories.customer(counter.brand)


def own(counter: Counter, her: Customer, *vouchers: Voucher | UUID, **fields: Any) -> Redeemed:
    plain: dict[str, Any] = {"store": counter.store, "bill_fen": None, "request_id": uuid4(), "at": NOW}
    ids = [one.id if isinstance(one, Voucher) else one for one in vouchers]
    return redeem_own(customer_id=her.id, voucher_ids=ids, **{**plain, **fields})


def refusal(counter: Counter, her: Customer, *vouchers: Voucher | UUID, **fields: Any) -> DomainError:
    with pytest.raises(DomainError) as refused:
        own(counter, her, *vouchers, **fields)
    return refused.value


def test_a_use_becomes_a_redemption_without_a_clerk(counter: Counter, her: Customer) -> None:
    voucher = counter.voucher(customer=her, paid_fen=1_234)

    answer = own(counter, her, voucher)

    redemption, request = Redemption.objects.get(), RedemptionRequest.objects.get()
    assert (redemption.voucher_id, redemption.serial, redemption.amount_fen) == (voucher.id, 1, 1_234)
    assert (redemption.store, redemption.entity, redemption.customer) == (counter.store, counter.entity, her)
    assert (redemption.redeemed_at, redemption.reversible_until) == (NOW, NOW + timedelta(hours=1))
    assert (request.source_kind, request.operator, request.outcome) == ("wallet", None, "done")
    assert (answer.public_id, answer.uses[0].redemption_id) == (request.public_id, redemption.id)
    voucher.refresh_from_db()
    assert (voucher.status, voucher.uses_left) == ("used", 0)


def test_the_trail_names_the_customer(counter: Counter, her: Customer) -> None:
    own(counter, her, *counter.vouchers(count=2, customer=her))

    entry = AuditEntry.objects.get(act="voucher.redeem")
    assert (entry.actor_kind, entry.actor_id, entry.subject_count) == ("customer", her.id, 2)
    assert OutboxMessage.objects.filter(topic="vouchers.redeemed").count() == 1


def test_a_voucher_that_is_not_hers_is_not_found(counter: Counter, her: Customer) -> None:
    hers, others = counter.voucher(customer=her), counter.voucher()
    elsewhere = another_counter().voucher()
    platform = counter.voucher(customer=her)
    Voucher.objects.filter(pk=platform.pk).update(issuer="douyin")

    for stranger in (others, elsewhere, platform, uuid4()):
        said = refusal(counter, her, hers, stranger)
        assert (said.code, said.param, said.details) == ("voucher_not_found", "vouchers", {"position": 1})

    assert not Redemption.objects.exists()


def test_her_voucher_of_another_brand_is_not_found_at_this_brands_store(counter: Counter, her: Customer) -> None:
    voucher = another_counter().voucher()

    with pytest.raises(errors.VoucherNotFound):
        own(counter, voucher.customer, voucher)


def test_a_card_named_twice_gives_two_uses(counter: Counter, her: Customer) -> None:
    card = counter.voucher(counter.terms(**CARD), customer=her, paid_fen=3_000)

    answer = own(counter, her, card, card)

    assert [(use.serial, use.amount_fen) for use in answer.uses] == [(1, 1_500), (2, 1_000)]
    assert refusal(counter, her, card, card).code == "voucher_already_redeemed"


@pytest.mark.parametrize(
    ("store", "code"),
    [({"status": "paused"}, "store_paused"), ({"status": "closed", "closed_at": NOW}, "store_closed_for_good")],
)
def test_a_store_that_does_not_redeem_says_so_as_at_the_counter(
    counter: Counter, her: Customer, store: dict[str, Any], code: str
) -> None:
    voucher = counter.voucher(customer=her)
    Store.objects.filter(pk=counter.store.pk).update(**store)  # what the caller holds in hand is older

    assert refusal(counter, her, voucher).code == code


def test_one_to_a_hundred_uses(counter: Counter, her: Customer) -> None:
    card = counter.voucher(counter.terms(kind="times_card", list_price_fen=101, use_list_fen=[1] * 101), customer=her)

    assert refusal(counter, her).details == {"most": 100}
    assert refusal(counter, her, *[card] * 101).code == "codes_out_of_range"
    assert len(own(counter, her, *[card] * 100).uses) == 100


def test_refusals_come_in_their_order(counter: Counter, her: Customer) -> None:
    elsewhere = {"stores": [factories.store(counter.brand).public_id]}
    voucher = counter.voucher(counter.terms(min_spend_fen=5_000, weekdays=[7], store_scope=elsewhere), customer=her)
    end = voucher.valid_until

    def with_fields(**fields: Any) -> None:
        Voucher.objects.filter(pk=voucher.pk).update(**fields)

    def heard(**fields: Any) -> str:
        return refusal(counter, her, voucher, **fields).code

    with_fields(status="refunded", uses_left=0)
    assert heard(at=end) == "voucher_refunded"
    with_fields(status="used")
    assert heard(at=end) == "voucher_already_redeemed"
    with_fields(status="held", uses_left=1, uses_held=1)
    assert heard(at=end) == "voucher_held"
    with_fields(status="issued", uses_held=0)
    assert heard(at=voucher.valid_from - timedelta(days=1)) == "voucher_not_yet_valid"
    assert heard(at=end) == "voucher_expired"
    assert heard() == "wrong_store"
    voucher.terms = counter.terms(min_spend_fen=5_000, weekdays=[7])
    voucher.save(update_fields=["terms"])
    assert heard() == "voucher_not_usable_now"
    sunday = NOW + timedelta(days=6)
    assert heard(at=sunday) == "bill_amount_required"
    assert heard(at=sunday, bill_fen=4_999) == "min_spend_not_reached"
    assert own(counter, her, voucher, at=sunday, bill_fen=5_000).bill_fen == 5_000


def test_the_limit_per_order_and_stacking_hold_in_the_wallet_too(counter: Counter, her: Customer) -> None:
    two = counter.vouchers(counter.terms(max_per_order=1), count=2, customer=her)
    tea = counter.voucher(counter.terms(stacking_group="tea"), customer=her)
    lunch = counter.voucher(counter.terms(stacking_group="lunch"), customer=her)

    assert refusal(counter, her, *two).code == "too_many_of_one_deal"
    assert refusal(counter, her, tea, lunch).code == "vouchers_do_not_combine"


def test_a_repeat_is_the_first_answer_in_any_order_of_its_vouchers(counter: Counter, her: Customer) -> None:
    one, other = counter.vouchers(count=2, customer=her)
    key = uuid4()
    first = own(counter, her, one, other, request_id=key)

    again = own(counter, her, other, one, request_id=key)

    assert (again.request_id, again.is_repeat, first.is_repeat) == (first.request_id, True, False)
    assert Redemption.objects.count() == 2


def test_a_key_with_other_content_or_from_somebody_else_is_refused(counter: Counter, her: Customer) -> None:
    one, other, key = *counter.vouchers(count=2, customer=her), uuid4()
    own(counter, her, one, request_id=key)
    stranger = factories.customer(counter.brand)

    for asking in (
        lambda: own(counter, her, other, request_id=key),
        lambda: own(counter, her, one, request_id=key, bill_fen=1),
        lambda: own(counter, stranger, one, request_id=key),
        lambda: counter.redeem(one.code, request_id=key),
    ):
        with pytest.raises(IdempotencyConflict):
            asking()


@pytest.mark.django_db(transaction=True)  # the ledger remembers accounts when they are committed
def test_it_takes_eight_statements(counter: Counter, her: Customer) -> None:
    vouchers = counter.vouchers(count=3, customer=her)
    own(counter, her, vouchers[0])  # terms are in memory from now on

    with CaptureQueriesContext(connection) as captured:
        own(counter, her, *vouchers[1:])

    asked = [
        query["sql"] for query in captured if not query["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))
    ]
    assert len(asked) <= 8, asked
