"""
A whole sale over HTTP: put on sale, bought, paid at the sandbox, issued, used, undone, given back, audited.

The site answers on a port of its own; the sandbox is a process of its own that tells it by signed notices.
What workers do is done here by the tasks themselves, as beat would send them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pytest_django.live_server_helper import LiveServer

from config.kernel.caller import Caller, CallerKind
from orders import tasks as order_tasks
from orders.invariants import auditing, slices
from orders.models import Account, PaymentNotice
from orders.services import ledger
from stores.models import ApiClient, Brand, Staff, Store
from stores.services import api_clients, brands, staffing
from stores.services.people import NewPerson
from stores.services.staffing import Place
from tests import factories
from tests.orders.sandbox_process import Customer, sandbox
from tests.patience import LIMIT_SECONDS, until
from vouchers import tasks as voucher_tasks

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "eine lange Zeile"
BY = Caller(kind=CallerKind.OPERATOR, id=None)


@dataclass
class Person:
    """Somebody with a phone, a till or a program, at the site's address."""

    http: httpx.Client
    token: str = ""

    def get(self, path: str, **query: Any) -> Any:
        return self._answered(self.http.get(path, params=query, headers=self._headers()))

    def post(self, path: str, body: Any = None, *, status: int = 201, key: str | None = None) -> Any:
        headers = {**self._headers(), "Idempotency-Key": key or str(uuid4())}
        return self._answered(self.http.post(path, json=body or {}, headers=headers), status)

    def refused(self, path: str, body: Any = None) -> str:
        headers = {**self._headers(), "Idempotency-Key": str(uuid4())}
        answer = self.http.post(path, json=body or {}, headers=headers)
        assert answer.is_client_error, answer.text
        return str(answer.json()["error"]["code"])

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    def _answered(self, answer: httpx.Response, status: int = 200) -> Any:
        assert answer.status_code == status, f"{answer.status_code} {answer.text}"
        return answer.json()


@dataclass
class Site:
    """The site, its brand's server, and the provider."""

    http: httpx.Client
    brand: Brand
    server: Person
    provider: Customer

    def customer(self, name: str) -> Person:
        token = self.server.post("customers/token", {"external_id": name}, status=201)["token"]
        return Person(self.http, token)

    def clerk(self, username: str) -> Person:
        signed_in = Person(self.http).post("staff/sign-in", {"username": username, "password": PASSWORD}, status=200)
        return Person(self.http, signed_in["token"])


@pytest.fixture
def site(live_server: LiveServer, settings: Any) -> Iterator[Site]:
    notices = f"{live_server.url}/api/v1/payments/sandbox/notices"
    at = datetime.now(UTC)
    with (
        sandbox(notify_url=notices) as provider_url,
        httpx.Client(base_url=f"{live_server.url}/api/v1/", timeout=LIMIT_SECONDS) as http,
        httpx.Client(timeout=LIMIT_SECONDS) as phone,
    ):
        settings.SANDBOX_URL = provider_url
        brand = brands.open_brand(
            slug="qingyu", name="青屿茶", owner=NewPerson("owner@qingyu", PASSWORD, "老板"), by=BY, at=at
        ).brand
        key = api_clients.create(brand_id=brand.id, name="server", scopes=list(ApiClient.Scope), by=BY, at=at).key
        yield Site(http, brand, Person(http, key), Customer(phone, provider_url))


def test_a_sale_from_the_shelf_to_the_books(site: Site) -> None:
    store = store_with_a_clerk(site.brand)
    session = put_on_sale(site)
    she, other = site.customer("she"), site.customer("other")
    wish = the_listing(she, session)

    buy_and_pay(site, session, wish, she, other)
    [card] = she.get("vouchers")["items"]
    theirs = other.get("vouchers")["items"]
    assert (card["uses_left"], len(theirs)) == (3, 2)

    at_the_counter(site.clerk("clerk@qingyu"), store, card, theirs[0])
    give_back(site, store, she, card)
    close(site, session, she, wish)
    assert balances(site.brand) == {
        "provider_clearing": -(6_000 - 1_333),
        "prepaid_unissued": 0,
        "voucher_liability": 4_000,
        "redeemed": 667,
        "refunds_payable": 0,
    }
    with auditing.one_snapshot():
        results = auditing.look(slices.whole())
    assert {result.check: result.broken for result in results if result.broken} == {}
    assert sum(result.rows for result in results) > 50


def store_with_a_clerk(brand: Brand) -> Store:
    store = factories.store(brand, entity=factories.entity(brand))
    staffing.appoint(
        brand_id=brand.id,
        person=NewPerson("clerk@qingyu", PASSWORD),
        role=Staff.Role.CLERK,
        place=Place(store_id=store.id),
        by=BY,
        at=datetime.now(UTC),
    )
    return store


def put_on_sale(site: Site) -> str:
    """A card of three drinks, in a livestream that is open."""
    deal = site.server.post("deals", {"out_id": "card-3", "kind": "times_card", "name": "三次卡", "total": 100})
    terms = site.server.post(
        f"deals/{deal['id']}/terms",
        {"title": "鲜果茶三次卡", "list_price_fen": 6_000, "use_list_fen": [2_000, 2_000, 2_000], "usable_days": 30},
    )
    offer = site.server.post(
        "offers", {"terms": terms["id"], "price_fen": 2_000, "allotment": 10, "per_customer_limit": 3}
    )
    session = site.server.post("sessions", {"title": "首播"})
    site.server.post(f"sessions/{session['id']}/listings", {"offer": offer["id"]})
    site.server.post(f"offers/{offer['id']}/open", status=200)
    site.server.post(f"sessions/{session['id']}/open", status=200)
    return str(session["id"])


def the_listing(customer: Person, session: str) -> dict[str, Any]:
    """What is bought: at the price and by the terms that she is shown."""
    [listing] = customer.get(f"live/{session}")["listings"]
    return {name: listing[name] for name in ("offer", "unit_price_fen", "terms_number")}


def buy_and_pay(site: Site, session: str, wish: dict[str, Any], she: Person, other: Person) -> None:
    """One buys one and asks twice with one key, the other buys two; their phones pay, the workers issue."""
    key = str(uuid4())
    bought = she.post(f"live/{session}/purchases", wish, key=key)
    assert she.post(f"live/{session}/purchases", wish, key=key, status=200)["purchase"] == bought["purchase"]
    others = other.post(f"live/{session}/purchases", {**wish, "quantity": 2})
    assert she.refused(f"live/{session}/purchases", {**wish, "unit_price_fen": 1}) == "price_changed"
    assert she.get("vouchers")["items"] == []

    for purchase in (bought, others):
        site.provider.pay(purchase["payment"]["parameters"]).raise_for_status()
    until(lambda: PaymentNotice.objects.count() >= 2)
    order_tasks.apply_notices()
    order_tasks.issue_paid()
    assert she.get(f"purchases/{bought['purchase']}")["status"] == "issued"


def at_the_counter(clerk: Person, store: Store, card: dict[str, Any], others: dict[str, Any]) -> None:
    """Shown, redeemed, redeemed again by the same key, one of the two undone; what is not there is refused."""
    counter = f"stores/{store.public_id}/redemptions"
    [shown] = clerk.post(f"{counter}/prepare", {"codes": [card["code"]]}, status=200)["vouchers"]
    assert shown["is_usable"]
    key = str(uuid4())
    done = clerk.post(counter, {"codes": [card["code"], card["code"]]}, key=key)
    assert clerk.post(counter, {"codes": [card["code"], card["code"]]}, key=key, status=200) == done
    assert [use["amount_fen"] for use in done["redemptions"]] == [667, 667]
    undone = clerk.post(f"redemptions/{done['redemptions'][0]['id']}/reversal")
    assert undone["uses_left"] == 2
    assert clerk.refused(counter, {"codes": [others["code"]] * 4}) == "voucher_already_redeemed"
    assert clerk.refused(counter, {"codes": ["000000000000"]}) == "voucher_not_found"


def give_back(site: Site, store: Store, she: Person, card: dict[str, Any]) -> None:
    """The rest of her card; the money leaves through the provider."""
    refund = she.post(f"vouchers/{card['id']}/refund")
    assert refund["amount_fen"] == 2_000 - 667
    redemptions = f"stores/{store.public_id}/redemptions"
    assert site.clerk("clerk@qingyu").refused(redemptions, {"codes": [card["code"]]}) == "voucher_refunded"
    order_tasks.send_refunds()

    def is_back() -> bool:
        order_tasks.apply_notices()
        return bool(she.get(f"vouchers/{card['id']}")["status"] == "refunded")

    until(is_back)


def close(site: Site, session: str, she: Person, wish: dict[str, Any]) -> None:
    """Nothing more is sold, and the sweepers have nothing left to do."""
    site.server.post(f"sessions/{session}/close", status=200)
    assert she.refused(f"live/{session}/purchases", wish) == "sale_closed"
    voucher_tasks.expire_due()
    voucher_tasks.release_overdue()
    order_tasks.fold_transfers()


def balances(brand: Brand) -> dict[str, int]:
    return {account.kind: ledger.balance(account) for account in Account.objects.filter(brand=brand)}
