"""Two brands with one of everything, and everybody who may knock: what walks over the whole API."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.hashers import make_password
from django.db import transaction

from config.accounts import tokens
from config.accounts.models import User
from config.kernel import outbox
from config.kernel.caller import Caller, CallerKind
from config.kernel.ids import PublicIdModel, new_id
from livestream.models import CommissionPlan
from orders.models import (
    AfterSaleCase,
    BillDifference,
    BillFile,
    PayoutBatch,
    StatementExport,
    StoreOrder,
    Surcharge,
)
from orders.services import cases, refunds, surcharges
from orders.services.cases import Complaint
from orders.services.issuing import issue_paid
from stores.models import (
    ApiClient,
    Customer,
    HolidayCalendar,
    Pin,
    Region,
    Store,
    StoreGroup,
    WebhookDelivery,
    WebhookSubscription,
)
from stores.permissions import Role
from stores.services import api_clients, pins, stock_acts, stock_transfers
from tests import factories
from tests.orders import invoiced, paid
from tests.stores import stocked
from tests.stores.people import PASSWORD, PIN, Shop
from tests.vouchers import granted
from vouchers.models import Redemption, Voucher
from vouchers.services import participation
from vouchers.services.redemption import RedeemRequest, redeem_one

OPERATOR = Caller(kind=CallerKind.OPERATOR, id=None)

PLACES: dict[Role, str] = {
    Role.REGION_SUPERVISOR: "region",
    Role.FRANCHISEE: "entity",
    Role.STORE_MANAGER: "store",
    Role.CLERK: "store",
}
"""Where the roles below a brand's own are; each reaches ``Side.store`` and not ``Side.other_store``."""


@contextmanager
def forgotten() -> Iterator[None]:
    """What happens inside never was; services may open their durable transactions in it, as in a test case."""
    block = transaction.atomic()
    block._from_testcase = True  # type: ignore[attr-defined] # what django.test.TestCase sets
    with block:
        yield
        transaction.set_rollback(True)


@dataclass
class Someone:
    """A caller and her credentials; ``token`` is None for nobody."""

    name: str
    kind: CallerKind | None
    token: str | None
    role: Role | None = None
    scopes: frozenset[ApiClient.Scope] = frozenset()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


class Side:
    """A brand with one of everything; ``ids`` by the names that paths give them."""

    def __init__(self) -> None:
        now = datetime.now(UTC)
        self.brand = brand = factories.brand()
        self.region = Region.objects.create(brand=brand, code="ZJ", name="浙江")
        self.entity = factories.entity(brand, kind="franchisee")
        self.store = factories.store(brand, entity=self.entity, region=self.region, latitude=30.2, longitude=120.2)
        self.other_store = factories.store(brand)
        self.manager = factories.staff(brand, role="store_manager", store=self.store).user
        self.clerk = factories.staff(brand, store=self.store)
        self.other_clerk = factories.staff(brand, store=self.other_store)
        self.clerk.user.password = make_password(PASSWORD)
        self.clerk.user.save(update_fields=["password"])
        Pin.objects.create(user=self.clerk.user, brand=brand, pin_hash=pins.hashed(PIN), set_at=now)
        shop = Shop(brand, self.store, self.manager)
        self.bound = shop.device()
        self.invited = shop.invite(at=now)
        self.customer = factories.customer(brand)
        self.client = self.issue(ApiClient.Scope.REPORTS).client
        self.group = StoreGroup.objects.create(brand=brand, code="AIR", name="机场店", created_at=now)
        self.calendar = HolidayCalendar.objects.create(
            brand=brand, year=2026, number=1, holidays=[{"date": "2026-10-01", "name": "国庆节"}], published_at=now
        )
        self.product = factories.product(brand)
        self.option_group = factories.option_group(brand, self.product)
        self.option = self.option_group.options.first()
        assert self.option is not None, "the factory makes some"
        self._count()
        self._sell(now)
        self._use(now)
        self.round = participation.ask(
            deal=self.deal,
            store_scope={},
            price_fen=990,
            settlement_rules=[],
            note="",
            answer_until=now + timedelta(days=1),
            request_id=uuid4(),
            by=OPERATOR,
            at=now,
        ).row
        self.webhook = WebhookSubscription.objects.create(
            brand=brand,
            url="https://example.com/hook",
            secret_encrypted=b"",
            topics=["*"],
            created_at=now,
        )
        with transaction.atomic():
            told = outbox.announce(brand_id=brand.id, topic="vouchers.redeemed", items=[{"n": 1}], at=now)
        self.delivery = WebhookDelivery.objects.create(
            subscription=self.webhook, message=told, status="given_up", due_at=now, created_at=now
        )

    def issue(self, *scopes: ApiClient.Scope) -> api_clients.IssuedKey:
        return api_clients.create(brand_id=self.brand.id, name="程序", scopes=scopes, by=OPERATOR, at=datetime.now(UTC))

    def _count(self) -> None:
        """A product that three stores count; one of them has sent some to each of the others."""
        self.third_store = factories.store(self.brand)
        self.counted = stocked.keep(self.third_store, "counted")
        self.material = factories.material(self.brand)
        for store in (self.store, self.other_store):
            stocked.keep(store, "counted", product=self.counted)
        self.act, self.other_act = (
            stock_acts.receive_goods(stocked.asked(store, {self.counted: 1})).row
            for store in (self.store, self.other_store)
        )
        self.transfer, self.other_transfer = (
            stock_transfers.send_goods(stocked.asked(self.third_store, {self.counted: 1}), store.id).row.transfer
            for store in (self.store, self.other_store)
        )

    def _sell(self, now: datetime) -> None:
        self.deal = factories.deal(self.brand)
        self.terms = factories.terms(self.deal)
        self.session = factories.live_session(self.brand, ends_at=now + timedelta(days=1))
        self.offer = factories.offer(self.terms, opens_at=now - timedelta(hours=1))
        self.listing = factories.listing(self.session, self.offer)
        self.draft_offer = factories.offer(self.terms, state="draft", allotment=10)
        self.draft_session = factories.live_session(self.brand, state="draft", opened_at=None)
        self.promoter = factories.promoter(self.brand)
        self.plan = CommissionPlan.objects.create(
            brand=self.brand, promoter=self.promoter, promoter_rate_bps=500, starts_at=now, created_at=now
        )
        self.purchase = paid.purchase(
            offer=self.offer, customer_id=self.customer.id, status="accepted", paid_at=None, accepted_at=now
        )
        self.grant = granted.grant(self.terms, granted.to(self.customer), by=OPERATOR, at=now)

    def _use(self, now: datetime) -> None:
        before = now - timedelta(minutes=1)
        bought = paid.purchase(offer=self.offer, customer_id=self.customer.id, quantity=4, accepted_at=before)
        issue_paid(limit=10, at=before)
        self.voucher, used, used_there, given_back = Voucher.objects.filter(source_id=bought.id).order_by("ordinal")
        self.redemption = self._redeemed(self.store, self.clerk.user, used, now)
        self.other_redemption = self._redeemed(self.other_store, self.other_clerk.user, used_there, now)
        self.surcharge = self._surcharged(self.redemption, self.clerk.user, now)
        self.other_surcharge = self._surcharged(self.other_redemption, self.other_clerk.user, now)

        answer = refunds.request_refund(
            voucher_id=given_back.id, customer_id=self.customer.id, request_id=uuid4(), at=now
        )
        self.refund = answer.request.refund
        self.case = self._complained(self.redemption, now)

        self.order, self.other_order = self._ordered(self.store, now), self._ordered(self.other_store, now)

        self._bill(now)
        self.batch = PayoutBatch.objects.create(
            brand=self.brand, request_id=uuid4(), content_hash=bytes(16), least_fen=1, made_at=now
        )
        self.export = StatementExport.objects.create(
            brand=self.brand, entity_ids=[self.entity.id], since=now.date(), until=now.date() + timedelta(days=1),
            request_id=uuid4(), content_hash=bytes(16), line_count=0, asked_at=now, due_at=now,
        )  # fmt: skip

        self.invoice = invoiced.invoice(self.redemption, self.entity, self.customer.id, at=now)

    def _bill(self, now: datetime) -> None:
        of_day = {"provider": "sandbox", "bill_date": now.date()}
        figures = {"line_count": 1, "matched_count": 0, "others_count": 0, "known_count": 0}
        self.bill = BillFile.objects.create(
            brand=self.brand,
            sha256=bytes(32),
            taken_at=now,
            captured_fen=990,
            refunded_fen=0,
            fee_fen=6,
            **of_day,
            **figures,
        )
        self.difference = BillDifference.objects.create(
            bill=self.bill,
            brand_id=self.brand.id,
            kind="missing_here",
            is_refund=False,
            reference="pay_1",
            transaction="sbx_1",
            line=2,
            theirs_fen=990,
            theirs_at=now,
            found_at=now,
            **of_day,
        )

    def _ordered(self, store: Store, now: datetime) -> StoreOrder:
        return StoreOrder.objects.create(
            brand=self.brand,
            store=store,
            customer_id=self.customer.id,
            request_id=uuid4(),
            content_hash=bytes(16),
            status="confirmed",
            total_fen=0,
            off_fen=0,
            due_fen=0,
            business_date=now.date(),
            slot_at=now,
            slot_cups=1,
            expected_at=now,
            pickup_number=100,
            placed_at=now,
            pay_until=now,
            confirmed_at=now,
        )

    def _complained(self, redemption: Redemption, now: datetime) -> AfterSaleCase:
        complaint = Complaint(redemption.id, "洒了", AfterSaleCase.Fault.STORE, AfterSaleCase.Outcome.REFUND, 990_000)
        by = Caller(kind=CallerKind.STAFF, id=new_id())
        opened = {"may_approve": False, "request_id": uuid4(), "by": by, "at": now}
        return cases.open_case(brand_id=self.brand.id, complaint=complaint, **opened).row

    def _surcharged(self, redemption: Redemption, clerk: User, now: datetime) -> Surcharge:
        return surcharges.record_at_till(
            redemption_id=redemption.id,
            extra=surcharges.Extra(reason="大杯", amount_fen=500),
            operator_id=clerk.id,
            request_id=uuid4(),
            at=now,
        ).surcharge

    def _redeemed(self, store: Store, clerk: User, voucher: Voucher, now: datetime) -> Redemption:
        done = redeem_one(RedeemRequest(store.id, clerk.id, (voucher.code,), None, uuid4()), at=now)
        return Redemption.objects.get(id=done.uses[0].redemption_id)

    def named(self, name: str, path: str, *, is_other: bool) -> str:
        """What ``{name}`` in ``path`` is filled with."""
        if name in ("provider", "issuer", "kind", "month"):
            return {"provider": "sandbox", "issuer": "douyin", "kind": "logo", "month": "2026-01"}[name]
        if path.startswith("/api/v1/issuers/") and name == "product":
            return "p-1"
        return self.row(name, path, is_other=is_other).public_id

    def row(self, name: str, path: str, *, is_other: bool) -> PublicIdModel:
        """The row for ``{name}`` in ``path``; of the store that is not the callers' where ``is_other``."""
        if name == "group" and path.startswith("/api/v1/option-groups"):
            return self.option_group
        if name == "redemption_request":
            return (self.other_redemption if is_other else self.redemption).request
        if is_other and name in ("store", "redemption", "staff", "surcharge", "order", "act", "transfer"):
            return {
                "act": self.other_act,
                "transfer": self.other_transfer,
                "store": self.other_store,
                "redemption": self.other_redemption,
                "staff": self.other_clerk,
                "surcharge": self.other_surcharge,
                "order": self.other_order,
            }[name]
        if name in ("staff", "device", "invitation"):
            return {"staff": self.clerk, "device": self.bound.device, "invitation": self.invited.invitation}[name]
        found: PublicIdModel = getattr(self, name)
        return found


class World:
    """``own`` is the brand whose callers knock at both."""

    def __init__(self) -> None:
        self.own, self.foreign = Side(), Side()
        at = datetime.now(UTC)
        device = self.own.bound.device
        self.roles = [self._staff(role) for role in Role]
        self.scopes = [
            Someone(f"key:{scope.value}", CallerKind.API_CLIENT, self.own.issue(scope).key, scopes=frozenset({scope}))
            for scope in ApiClient.Scope
        ]
        self.customer = Someone("customer", CallerKind.CUSTOMER, _customer_token(self.own.customer))
        self.device = Someone("device", CallerKind.DEVICE, self.own.bound.key)
        standing = tokens.sign_counter(
            user_id=self.own.clerk.user_id, brand_id=self.own.brand.id, device_id=device.id, at=at
        )
        self.at_device = Someone("clerk at a device", CallerKind.COUNTER, standing.text, role=Role.CLERK)
        self.nobody = Someone("nobody", None, None)

    @property
    def callers(self) -> list[Someone]:
        return [*self.roles, *self.scopes, self.customer, self.device, self.at_device, self.nobody]

    def _staff(self, role: Role) -> Someone:
        place: dict[str, Any] = {PLACES[role]: getattr(self.own, PLACES[role])} if role in PLACES else {}
        row = factories.staff(self.own.brand, role=role, **place)
        return Someone(role.value, CallerKind.STAFF, staff_token(row.user), role=role)


def staff_token(user: User) -> str:
    return tokens.sign_staff(user_id=user.id, at=datetime.now(UTC)).text


def _customer_token(customer: Customer) -> str:
    return tokens.sign_customer(customer_id=customer.id, brand_id=customer.brand_id, at=datetime.now(UTC)).text
