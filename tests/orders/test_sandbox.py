"""The sandbox provider over HTTP: it behaves like a real one, well and badly."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from config.kernel.errors import MalformedRequest
from orders.errors import NoticeNotSigned
from orders.models import PaymentNotice
from orders.providers import bill_file, sandbox_bill_files
from orders.providers import sandbox_messages as messages
from orders.providers.bill_file import ZONE, BillLine
from orders.providers.interface import PaymentState, PaymentTerms, ProviderSilent, RefundOrder, RefundState
from orders.providers.sandbox import Sandbox
from orders.providers.sandbox_bill import BillFaults, Movement
from orders.providers.sandbox_book import Full, SandboxBook
from orders.providers.sandbox_signature import HEADER
from orders.services.notices import apply_notices
from orders.services.payments import payment_parameters
from tests.factories import NOW
from tests.orders import sandbox_process
from tests.orders.buying import an_offer, buy
from tests.orders.sandbox_process import Customer, Merchant
from tests.patience import until


@pytest.fixture(scope="module")
def listening() -> Iterator[Merchant]:
    with sandbox_process.merchant() as merchant:
        yield merchant


@pytest.fixture(scope="module")
def address(listening: Merchant) -> Iterator[str]:
    with sandbox_process.sandbox(notify_url=listening.url) as url:
        yield url


@pytest.fixture
def merchant(listening: Merchant) -> Merchant:
    for kept in (listening.notices, listening.refused, listening.answers):
        kept.clear()
    return listening


@pytest.fixture
def customer(address: str, merchant: Merchant) -> Iterator[Customer]:
    with httpx.Client() as http:
        phone = Customer(http, address)
        yield phone
        phone.set_faults()


@contextmanager
def connected(url: str, key: str) -> Iterator[Sandbox]:
    sandbox = Sandbox(url=url, key=key)
    yield sandbox
    sandbox._client.close()


@pytest.fixture
def client(address: str, settings: Any) -> Iterator[Sandbox]:
    with connected(address, settings.SECRETS.sandbox_key) as sandbox:
        yield sandbox


def parameters(client: Sandbox, reference: str | None = None, **fields: Any) -> dict[str, Any]:
    plain = {"amount_fen": 990, "expires_at": datetime.now(UTC) + timedelta(minutes=15)}
    return client.parameters(PaymentTerms(**{"reference": reference or f"pay_{uuid4().hex}", **plain, **fields}))


class TestPaying:
    def test_a_payment_is_taken_and_told_by_a_signed_notice(
        self, client: Sandbox, customer: Customer, merchant: Merchant
    ) -> None:
        answer = customer.pay(told := parameters(client))

        assert answer.json()["state"] == "captured"
        (event,) = merchant.told(1)
        assert (event.kind, event.reference, event.amount_fen) == ("payment_captured", told["reference"], 990)
        assert event.provider_reference == answer.json()["captures"][0]["transaction"]
        assert abs(datetime.now(UTC) - event.occurred_at) < timedelta(minutes=1)

    def test_paying_again_takes_nothing_more(self, client: Sandbox, customer: Customer, merchant: Merchant) -> None:
        told = parameters(client)

        assert customer.pay(told).json() == customer.pay(told).json()
        assert len(merchant.told(1)) == 1

    @pytest.mark.parametrize("change", [{"amount_fen": 1}, {"currency": "USD"}, {"expires_at": 2**33}, {"kid": "0"}])
    def test_parameters_the_merchant_did_not_sign_are_refused(
        self, client: Sandbox, customer: Customer, change: dict[str, Any]
    ) -> None:
        assert customer.pay({**parameters(client), **change}).status_code == 401

    def test_a_crowd_pays_in_one_call_each_by_her_own_parameters(
        self, client: Sandbox, customer: Customer, merchant: Merchant
    ) -> None:
        crowd = [parameters(client), parameters(client)]

        answer = customer.pay_together(crowd)

        assert [each["state"] for each in answer.json()["payments"]] == ["captured", "captured"]
        assert {event.reference for event in merchant.told(2)} == {each["reference"] for each in crowd}
        assert customer.pay_together([{**parameters(client), "amount_fen": 1}]).status_code == 401
        assert customer.pay_together([]).status_code == 422

    def test_past_its_time_it_is_refused(self, client: Sandbox, customer: Customer) -> None:
        late = customer.pay(parameters(client, expires_at=datetime.now(UTC) - timedelta(seconds=1)))

        assert (late.status_code, late.json()) == (409, {"error": "expired"})

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"reference": "x"}', b"\xff", b"{" * 5_000])
    def test_what_is_no_payment_is_refused_and_breaks_nothing(self, customer: Customer, body: bytes) -> None:
        assert customer.http.post(f"{customer.url}/pay", content=body).status_code == 422

    def test_a_large_body_is_refused(self, customer: Customer) -> None:
        assert customer.http.post(f"{customer.url}/pay", content=b" " * 100_000).status_code == 413


class TestAsking:
    def test_it_knows_what_was_paid_what_was_closed_and_what_it_never_heard_of(
        self, client: Sandbox, customer: Customer
    ) -> None:
        customer.pay(paid := parameters(client))
        client.close([closed := f"pay_{uuid4().hex}"])

        answers = client.ask([paid["reference"], closed, "pay_never"])

        assert [answer.state for answer in answers] == ["captured", "closed", "unknown"]
        assert [capture.amount_fen for capture in answers[0].captures] == [990]

    def test_what_is_closed_is_not_paid_any_more_even_if_it_was_never_heard_of(
        self, client: Sandbox, customer: Customer
    ) -> None:
        told = parameters(client)
        (closed,) = client.close([told["reference"]])

        late = customer.pay(told)

        assert closed.state == PaymentState.CLOSED
        assert (late.status_code, late.json()) == (409, {"error": "closed"})

    def test_what_is_paid_is_not_closed_any_more(self, client: Sandbox, customer: Customer) -> None:
        customer.pay(told := parameters(client))

        (answer,) = client.close([told["reference"]])

        assert (answer.state, len(answer.captures)) == (PaymentState.CAPTURED, 1)

    def test_another_key_is_not_answered(self, address: str, customer: Customer) -> None:
        with connected(address, "00" * 32) as stranger, pytest.raises(ProviderSilent, match="401"):
            stranger.ask(["pay_1"])

    def test_where_nobody_listens_nothing_is_known(self, settings: Any) -> None:
        nowhere = connected("http://127.0.0.1:9", settings.SECRETS.sandbox_key)
        with nowhere as client, pytest.raises(ProviderSilent, match="ConnectError"):
            client.ask(["pay_1"])

    def test_the_bill_lists_what_happened(self, client: Sandbox, customer: Customer, merchant: Merchant) -> None:
        began = datetime.now(UTC)
        customer.pay(told := parameters(client))
        client.refund(RefundOrder(back := f"rfd_{uuid4().hex}", told["reference"], 90))
        merchant.told(2)

        bill = client._post("/bill", messages.BillRequest(began, datetime.now(UTC)), messages.Bill)

        assert [(line.kind, line.reference, line.amount_fen) for line in bill.events] == [
            ("payment_captured", told["reference"], 990),
            ("refund_succeeded", back, 90),
        ]
        assert bill.next is None


class TestRefunds:
    def test_a_refund_succeeds_a_moment_later_and_is_told(
        self, client: Sandbox, customer: Customer, merchant: Merchant
    ) -> None:
        customer.pay(told := parameters(client))
        order = RefundOrder(f"rfd_{uuid4().hex}", told["reference"], 500)

        assert client.refund(order).state == RefundState.PENDING

        event = merchant.told(2)[-1]
        assert (event.kind, event.reference, event.amount_fen) == ("refund_succeeded", order.reference, 500)
        (answer,) = client.ask_refunds([order.reference])
        assert (answer.state, answer.provider_reference) == (RefundState.SUCCEEDED, event.provider_reference)

    def test_an_order_said_twice_is_one_refund(self, client: Sandbox, customer: Customer, merchant: Merchant) -> None:
        customer.pay(told := parameters(client))
        order = RefundOrder(f"rfd_{uuid4().hex}", told["reference"], 990)
        client.refund(order)
        merchant.told(2)

        assert client.refund(order).state == RefundState.SUCCEEDED
        assert len(merchant.events) == 2

    def test_parts_may_go_back_one_after_the_other_and_never_more_than_was_taken(
        self, client: Sandbox, customer: Customer
    ) -> None:
        customer.pay(told := parameters(client))

        def refund(amount_fen: int) -> tuple[str, str]:
            answer = client.refund(RefundOrder(f"rfd_{uuid4().hex}", told["reference"], amount_fen))
            return answer.state, answer.reason

        assert [refund(500), refund(491), refund(490)] == [
            ("pending", ""),
            ("failed", "more than was captured"),
            ("pending", ""),
        ]

    def test_of_an_unknown_payment_it_fails_and_one_unheard_of_is_unknown(self, client: Sandbox) -> None:
        assert client.refund(RefundOrder("rfd_a", "pay_never", 1)).reason == "unknown payment"
        assert client.ask_refunds(["rfd_never"])[0].state == RefundState.UNKNOWN

    def test_one_that_failed_on_demand_may_be_ordered_again(
        self, client: Sandbox, customer: Customer, merchant: Merchant
    ) -> None:
        customer.pay(told := parameters(client))
        order = RefundOrder(f"rfd_{uuid4().hex}", told["reference"], 990)
        customer.set_faults(fail_refunds=1)
        client.refund(order)
        assert merchant.told(2)[-1].kind == "refund_failed"

        customer.set_faults()
        client.refund(order)

        assert merchant.told(3)[-1].kind == "refund_succeeded"


class TestNotices:
    def test_a_notice_that_is_not_taken_comes_again_until_it_is(
        self, client: Sandbox, customer: Customer, merchant: Merchant
    ) -> None:
        merchant.answers.extend([500, 302, 401])

        customer.pay(parameters(client))

        (event,) = merchant.told(1)
        assert [[repeated.event_id for repeated in notice] for notice in merchant.refused] == [[event.event_id]] * 3

    def test_a_rush_is_gathered_up_to_a_hundred_a_notice(
        self, client: Sandbox, customer: Customer, merchant: Merchant
    ) -> None:
        for _ in range(150):
            customer.pay(parameters(client))

        events = merchant.told(150)

        assert len({event.event_id for event in events}) == 150
        assert len(merchant.notices) < 75
        assert max(map(len, merchant.notices)) <= 100

    def test_duplicates_carry_the_same_event(self, client: Sandbox, customer: Customer, merchant: Merchant) -> None:
        customer.set_faults(duplicate=1, seed=1)

        customer.pay(parameters(client))

        first, again = merchant.told(2)
        assert first == again
        assert customer.figures()["events_duplicated"] == 1

    def test_what_is_lost_is_never_told_but_known(
        self, client: Sandbox, customer: Customer, merchant: Merchant
    ) -> None:
        customer.set_faults(lose=1)
        customer.pay(lost := parameters(client))
        customer.set_faults()
        customer.pay(kept := parameters(client))

        assert [event.reference for event in merchant.told(1)] == [kept["reference"]]
        assert client.ask([lost["reference"]])[0].state == PaymentState.CAPTURED

    def test_later_events_overtake_earlier_ones(self, client: Sandbox, customer: Customer, merchant: Merchant) -> None:
        customer.set_faults(disorder=0.5, seed=7)
        references = [parameters(client)["reference"] for _ in range(20)]
        for reference in references:
            customer.pay(parameters(client, reference))

        told = [event.reference for event in merchant.told(20)]

        assert sorted(told) == sorted(references)
        assert told != references

    def test_delays_hold_a_notice_back(self, client: Sandbox, customer: Customer, merchant: Merchant) -> None:
        customer.set_faults(delay_seconds=3600, seed=1)

        customer.pay(parameters(client))

        assert customer.figures()["events_waiting"] == 1
        assert merchant.events == []

    @pytest.mark.parametrize("simulate", [{"amount_fen": 1}, {"currency": "USD"}])
    def test_a_wrong_amount_or_currency_on_demand(
        self, client: Sandbox, customer: Customer, merchant: Merchant, simulate: dict[str, Any]
    ) -> None:
        customer.pay(parameters(client), **simulate)

        (event,) = merchant.told(1)
        assert {name: getattr(event, name) for name in simulate} == simulate

    def test_a_second_capture_of_one_payment_on_demand(
        self, client: Sandbox, customer: Customer, merchant: Merchant
    ) -> None:
        customer.pay(told := parameters(client))
        customer.pay(told, again=True)

        first, second = merchant.told(2)

        assert first.reference == second.reference
        assert first.provider_reference != second.provider_reference
        assert len(client.ask([told["reference"]])[0].captures) == 2


class TestReadingNotices:
    BODY = (
        b'{"events":[{"id":"e","kind":"payment_captured","reference":"pay_1","transaction":"t","amount_fen":1,'
        b'"currency":"CNY","at":"2026-06-01T04:00:00Z"}]}'
    )

    def signed(self, client: Sandbox, body: bytes, *, at: datetime = NOW) -> dict[str, str]:
        return {HEADER: client._keys.header(body, at_seconds=int(at.timestamp()))}

    def test_what_is_signed_is_read(self, client: Sandbox) -> None:
        (event,) = client.read_notice(self.signed(client, self.BODY), self.BODY, at=NOW + timedelta(minutes=5))

        assert (event.provider, event.reference, event.amount_fen, event.occurred_at) == ("sandbox", "pay_1", 1, NOW)

    @pytest.mark.parametrize("header", ["", "v1", "v2,a,1,b", "v1,a,x,b", "v1,a,-1,b", "v1,a,٣,b", "v1,é,1,é"])
    def test_what_is_no_signature_is_refused(self, client: Sandbox, header: str) -> None:
        with pytest.raises(NoticeNotSigned):
            client.read_notice({HEADER: header}, self.BODY, at=NOW)

    def test_a_signature_of_another_time_is_refused(self, client: Sandbox) -> None:
        version, kid, _, digest = self.signed(client, self.BODY)[HEADER].split(",")
        moved = f"{version},{kid},{int(NOW.timestamp()) + 1},{digest}"

        with pytest.raises(NoticeNotSigned):
            client.read_notice({HEADER: moved}, self.BODY, at=NOW)

    @pytest.mark.parametrize(
        ("part", "other"),
        [
            (b"payment_captured", b"something_new"),
            (b'"amount_fen":1', b'"amount_fen":0'),
            (b'"amount_fen":1', b'"amount_fen":1.5'),
            (b'"CNY"', b'"cny"'),
            (b"pay_1", b"pay\\u00001"),
            (b"pay_1", b"p" * 49),
            (b"04:00:00Z", b"04:00:00"),
            (b'"id"', b'"more":1,"id"'),
        ],
    )
    def test_a_signed_notice_is_checked_to_the_last_field(self, client: Sandbox, part: bytes, other: bytes) -> None:
        body = self.BODY.replace(part, other)
        assert body != self.BODY

        with pytest.raises(MalformedRequest):
            client.read_notice(self.signed(client, body), body, at=NOW)


class TestMemory:
    def pay(self, book: SandboxBook, reference: str) -> None:
        book.pay(messages.Pay(reference, 990, "CNY", 2**33, "", ""), at=NOW)

    def test_the_oldest_the_merchant_has_heard_of_is_forgotten(self) -> None:
        events: list[messages.Event] = []
        book = SandboxBook(tell=events.append, remember=2)
        self.pay(book, "news")
        self.pay(book, "told")
        book.acknowledged(events[1])

        self.pay(book, "third")

        assert set(book.payments) == {"news", "third"}

    def test_while_everything_is_news_nothing_more_is_taken(self) -> None:
        book = SandboxBook(tell=lambda event: None, remember=1)
        self.pay(book, "news")

        with pytest.raises(Full):
            self.pay(book, "another")

        book.query(["news"])
        self.pay(book, "another")


@pytest.mark.django_db(transaction=True)
def test_a_payment_at_the_sandbox_pays_the_purchase(live_server: Any, settings: Any) -> None:
    notify_url = f"{live_server.url}/api/v1/payments/sandbox/notices"
    with sandbox_process.sandbox(notify_url=notify_url) as url, httpx.Client() as http:
        settings.SANDBOX_URL = url
        payment = buy(an_offer(), at=datetime.now(UTC))
        told = payment_parameters(payment.id, payment.amount_fen, accepted_at=payment.purchase.accepted_at)

        Customer(http, url).pay(told).raise_for_status()
        until(PaymentNotice.objects.exists, otherwise="the notice did not come")
        apply_notices(limit=10, at=datetime.now(UTC))

    payment.purchase.refresh_from_db()
    assert payment.purchase.status == "paid"


class TestBills:
    def test_a_day_s_bill_is_fetched_as_the_file_it_is(self, client: Sandbox, customer: Customer) -> None:
        told = parameters(client)
        customer.pay(told)
        today, fetched = datetime.now(ZONE).date(), [io.BytesIO(), io.BytesIO()]

        for file in fetched:
            client.bill(today, file)

        with bill_file.opened(fetched[0], day=today) as opened:
            lines = [line for line in opened.rows if isinstance(line, BillLine)]
        assert told["reference"] in {line.reference for line in lines}
        assert fetched[0].getvalue() == fetched[1].getvalue()

    def test_faults_are_in_the_file(self, client: Sandbox, customer: Customer) -> None:
        customer.pay(parameters(client))
        customer.set_faults(bill={"missing": 1.0})
        today, file = datetime.now(ZONE).date(), io.BytesIO()

        client.bill(today, file)

        with bill_file.opened(file, day=today) as opened:
            assert list(opened.rows) == []

    def test_a_bill_that_takes_long_to_write_is_not_ready_at_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sandbox_bill_files, "AT_ONCE", 0)
        files, day = sandbox_bill_files.BillFiles(), NOW.date()
        movement = Movement(False, "pay_1", "sbx_1", 990, "CNY", NOW)

        assert files.ask(day, [movement], BillFaults()).sha256 == ""
        while not (ready := files.ask(day, [movement], BillFaults()).sha256):
            time.sleep(0.01)
        assert b"pay_1" in b"".join(files.pieces(ready))
        with pytest.raises(sandbox_bill_files.NoSuchBill):
            files.pieces("0" * 64)
        files.close()

    def test_nobody_else_fetches_it(self, client: Sandbox, address: str) -> None:
        assert httpx.post(f"{address}/bill/file", content=b'{"day":"2026-06-01"}').status_code == 401
        assert httpx.get(f"{address}/bill/file/{'0' * 64}").status_code == 401
        with pytest.raises(ProviderSilent):
            client._post("/bill/files", messages.Question(["pay_1"]), messages.PaymentReports)
