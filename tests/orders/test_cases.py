"""After-sale cases: decided by an agent within her limits, by somebody above her beyond them, each once."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import DomainError, IdempotencyConflict
from config.kernel.ids import new_id
from config.kernel.models import AuditEntry
from orders.errors import AfterUseTooMuch, CaseInvalid, CaseIsDecided, CaseNeedsAnother, RefundNotGivenUp, UseNotSettled
from orders.models import AfterSaleCase, Refund, Settlement
from orders.services import cases, refund_failures
from orders.services.cases import Complaint
from orders.services.issuing import issue_paid
from stores.models import Customer
from tests import factories
from tests.factories import NOW
from tests.orders import paid
from tests.vouchers import counters, granted
from tests.vouchers.counters import Counter
from tests.vouchers.http import as_staff, error_of, get, post
from vouchers.errors import RedemptionAlreadyReversed, RedemptionNotFound, TermsNotFound
from vouchers.models import Redemption, Voucher
from vouchers.services.reversal import reverse

pytestmark = pytest.mark.django_db(transaction=True)

AGENT = Caller(kind=CallerKind.STAFF, id=new_id())
MANAGER = Caller(kind=CallerKind.STAFF, id=new_id())
TOMORROW = NOW + timedelta(days=1)
Fault, Outcome = AfterSaleCase.Fault, AfterSaleCase.Outcome


@pytest.fixture
def counter() -> Counter:
    return counters.counter()


def used(counter: Counter, *, price_fen: int = 1_990, customer: Customer | None = None) -> Redemption:
    """A voucher that was bought, paid and drunk."""
    terms = counter.terms(list_price_fen=price_fen, use_list_fen=[price_fen], face_value_fen=price_fen)
    buyer = customer or factories.customer(counter.brand)
    bought = paid.purchase(brand=counter.brand, terms=terms, unit_price_fen=price_fen, customer_id=buyer.pk)
    issue_paid(limit=10, at=NOW)
    counter.redeem(Voucher.objects.get(source_id=bought.pk).code)
    return Redemption.objects.get(voucher__source_id=bought.pk)


def complaint(redemption: Redemption, **fields: Any) -> Complaint:
    plain = Complaint(redemption.pk, "做错了", Fault.STORE, Outcome.REFUND, amount_fen=1_000)
    return replace(plain, **fields)


def opened(
    redemption: Redemption, *, may_approve: bool = False, at: datetime = TOMORROW, key: Any = None, **fields: Any
) -> AfterSaleCase:
    return cases.open_case(
        brand_id=redemption.voucher.brand_id,
        complaint=complaint(redemption, **fields),
        may_approve=may_approve,
        request_id=key or uuid4(),
        by=AGENT,
        at=at,
    ).row


class TestWhatIsDone:
    def test_a_refund_goes_out_and_its_party_bears_it(self, counter: Counter) -> None:
        redemption = used(counter)

        case = opened(redemption)

        assert (case.status, case.value_fen) == ("done", 1_000)
        assert case.refund is not None
        assert (case.refund.amount_fen, case.refund.status) == (1_000, "requested")
        line = Settlement.objects.get(pk=case.refund.pk)
        assert (line.source_kind, line.fault, line.entity_fen) == ("after_use", "store", -1_000)
        assert AuditEntry.objects.filter(act="case.opened", subject_id=case.pk).count() == 1

    def test_a_compensation_is_a_voucher_of_hers(self, counter: Counter) -> None:
        redemption, gift = used(counter), counter.terms(list_price_fen=1_500)

        case = opened(redemption, outcome=Outcome.COMPENSATION, amount_fen=None, compensation_id=gift.pk)
        granted.issue_all(at=TOMORROW)

        assert (case.status, case.value_fen) == ("done", 1_500)
        hers = Voucher.objects.get(terms=gift)
        assert (hers.customer_id, hers.source_kind) == (redemption.customer_id, "grant")

    def test_a_remade_drink_costs_what_was_paid_for_it(self, counter: Counter) -> None:
        case = opened(used(counter), outcome=Outcome.REMAKE, amount_fen=None)

        assert (case.status, case.value_fen, case.refund, case.grant) == ("done", 1_990, None, None)

    def test_an_explanation_costs_nothing(self, counter: Counter) -> None:
        case = opened(used(counter), outcome=Outcome.EXPLAINED, fault=Fault.CUSTOMER, amount_fen=None)

        assert (case.status, case.value_fen) == ("done", 0)

    def test_a_request_is_one_case(self, counter: Counter) -> None:
        redemption, key = used(counter), uuid4()

        assert opened(redemption, key=key) == opened(redemption, key=key)
        assert Refund.objects.count() == 1
        with pytest.raises(IdempotencyConflict):
            opened(redemption, key=key, amount_fen=999)


class TestLimits:
    def test_above_thirty_yuan_it_waits_for_a_manager(self, counter: Counter) -> None:
        redemption = used(counter, price_fen=5_000)

        case = opened(redemption, amount_fen=3_001)
        assert (case.status, Refund.objects.count()) == ("awaiting_approval", 0)

        done = cases.approve(case=case, by=MANAGER, at=TOMORROW)
        again = cases.approve(case=case, by=MANAGER, at=TOMORROW)
        assert (done.status, again.refund) == ("done", done.refund)
        assert Refund.objects.get().amount_fen == 3_001

    def test_thirty_yuan_is_within(self, counter: Counter) -> None:
        assert opened(used(counter, price_fen=5_000), amount_fen=3_000).status == "done"

    def test_the_fourth_of_a_customer_in_90_days_waits(self, counter: Counter) -> None:
        customer = factories.customer(counter.brand)
        uses = [used(counter, customer=customer) for _ in range(5)]

        assert [opened(use).status for use in uses[:4]] == ["done"] * 3 + ["awaiting_approval"]
        assert opened(uses[4], at=TOMORROW + timedelta(days=90)).status == "done"
        assert opened(used(counter)).status == "done"  # another customer's first

    def test_what_was_declined_or_explained_does_not_count(self, counter: Counter) -> None:
        customer = factories.customer(counter.brand)
        uses = [used(counter, customer=customer, price_fen=5_000) for _ in range(5)]
        opened(uses[0], outcome=Outcome.EXPLAINED, amount_fen=None)
        cases.decline(case=opened(uses[1], amount_fen=4_000), because="没有凭证", by=MANAGER, at=TOMORROW)

        assert [opened(use).status for use in uses[2:]] == ["done"] * 3

    def test_a_manager_has_none(self, counter: Counter) -> None:
        assert opened(used(counter, price_fen=9_000), amount_fen=9_000, may_approve=True).status == "done"

    def test_nobody_approves_her_own(self, counter: Counter) -> None:
        case = opened(used(counter, price_fen=5_000), amount_fen=4_000)

        with pytest.raises(CaseNeedsAnother):
            cases.approve(case=case, by=AGENT, at=TOMORROW)

    def test_what_is_decided_stays(self, counter: Counter) -> None:
        declined = opened(used(counter, price_fen=5_000), amount_fen=4_000)
        cases.decline(case=declined, because="没有凭证", by=MANAGER, at=TOMORROW)
        done = opened(used(counter))

        with pytest.raises(CaseIsDecided):
            cases.approve(case=declined, by=MANAGER, at=TOMORROW)
        with pytest.raises(CaseIsDecided):
            cases.decline(case=done, because="x", by=MANAGER, at=TOMORROW)
        assert cases.decline(case=declined, because="again", by=MANAGER, at=TOMORROW).declined_because == "没有凭证"


class TestRefused:
    @pytest.mark.parametrize(
        ("fields", "error"),
        [
            ({"amount_fen": None}, CaseInvalid),
            ({"outcome": Outcome.REMAKE}, CaseInvalid),
            ({"outcome": Outcome.COMPENSATION, "amount_fen": None}, CaseInvalid),
            ({"fault": Fault.CUSTOMER}, CaseInvalid),
            ({"amount_fen": 1_991}, AfterUseTooMuch),
            ({"redemption_id": uuid4()}, RedemptionNotFound),
            ({"outcome": Outcome.COMPENSATION, "amount_fen": None, "compensation_id": uuid4()}, TermsNotFound),
        ],
    )
    def test_and_nothing_is_kept(self, counter: Counter, fields: dict[str, Any], error: type[DomainError]) -> None:
        redemption = used(counter)

        with pytest.raises(error):
            opened(redemption, **fields)
        assert (AfterSaleCase.objects.count(), Refund.objects.count()) == (0, 0)

    def test_what_can_still_be_undone_is_undone_instead(self, counter: Counter) -> None:
        with pytest.raises(UseNotSettled):
            opened(used(counter), at=NOW + timedelta(minutes=5))

    def test_what_was_undone_is_no_use(self, counter: Counter) -> None:
        redemption = used(counter)
        reverse(redemption_id=redemption.pk, operator=counter.clerk, request_id=uuid4(), at=NOW + timedelta(minutes=5))

        with pytest.raises(RedemptionAlreadyReversed):
            opened(redemption)

    def test_several_cases_never_give_back_more_than_was_paid(self, counter: Counter) -> None:
        redemption = used(counter)
        opened(redemption, amount_fen=1_500)

        with pytest.raises(AfterUseTooMuch):
            opened(redemption, amount_fen=500)
        assert opened(redemption, amount_fen=490).status == "done"


class TestRefundsGivenUp:
    def test_are_sent_again_by_a_person(self, counter: Counter) -> None:
        case = opened(used(counter))
        assert case.refund is not None
        with pytest.raises(RefundNotGivenUp):
            refund_failures.retry(refund=case.refund, by=AGENT, at=TOMORROW)
        Refund.objects.update(status="failed", attempts=Refund.MOST_ATTEMPTS, last_error="账户异常")

        retried = refund_failures.retry(refund=case.refund, by=AGENT, at=TOMORROW)

        assert (retried.status, retried.attempts, retried.due_at) == ("failed", 0, TOMORROW)
        assert AuditEntry.objects.get(act="refund.retried").details == {"error": "账户异常"}


def test_over_http_an_agent_opens_and_a_manager_approves(counter: Counter) -> None:
    redemption = used(counter, price_fen=5_000)
    agent, owner = (as_staff(factories.staff(counter.brand, role=role).user) for role in ("customer_service", "owner"))
    body = {
        "redemption": redemption.public_id,
        "reason": "洒了",
        "fault": "store",
        "outcome": "refund",
        "amount_fen": 4_000,
    }

    answer = post("after-sale/cases", agent, body)

    assert (answer.status_code, answer.json()["status"]) == (201, "awaiting_approval")
    case = answer.json()["id"]
    assert error_of(post(f"after-sale/cases/{case}/approve", agent)) == (403, "not_allowed")
    assert post(f"after-sale/cases/{case}/approve", owner).json()["refund"].startswith("rfd_")
    assert [one["id"] for one in get("after-sale/cases", agent, status="done").json()["items"]] == [case]
    told = get(f"after-sale/vouchers/{redemption.voucher.public_id}", agent).json()["happenings"]
    assert {"case_opened", "case_refund"} <= {line["kind"] for line in told}
