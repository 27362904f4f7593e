"""Purchases and refunds over HTTP, as customers and the brand meet them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from config.accounts import tokens
from config.kernel.ids import public
from orders.models import Refund
from orders.services.issuing import issue_paid
from orders.services.refunds import request_refund
from stores.models import Brand
from tests import factories
from tests.factories import NOW
from tests.orders import paid
from vouchers.models import Voucher

pytestmark = pytest.mark.django_db


def customer(voucher_or_purchase: Any) -> dict[str, str]:
    """Her credentials, as a header."""
    owner = voucher_or_purchase
    token = tokens.sign_customer(customer_id=owner.customer_id, brand_id=owner.brand_id, at=datetime.now(UTC))
    return {"Authorization": f"Bearer {token.text}"}


def staff(brand: Brand, role: str) -> dict[str, str]:
    token = tokens.sign_staff(user_id=factories.staff(brand, role=role).user_id, at=datetime.now(UTC))
    return {"Authorization": f"Bearer {token.text}"}


def bought() -> Voucher:
    """A voucher still good today, whenever that is: the edge reads the real clock."""
    purchase = paid.purchase(accepted_at=(today := datetime.now(UTC)))
    issue_paid(limit=10, at=today)
    return Voucher.objects.get(source_id=purchase.pk)


def ask_refund(voucher: Voucher, *, key: UUID, headers: dict[str, str]) -> Any:
    return Client().post(
        f"/api/v1/vouchers/{voucher.public_id}/refund", headers={**headers, "Idempotency-Key": str(key)}
    )


class TestPurchases:
    def test_she_follows_her_purchase(self) -> None:
        purchase = paid.purchase(quantity=2)

        answer = Client().get(f"/api/v1/purchases/{purchase.public_id}", headers=customer(purchase))

        assert answer.status_code == 200
        assert answer.json() == {
            "purchase": purchase.public_id,
            "offer": public("off", purchase.offer_id),
            "quantity": 2,
            "unit_price_fen": 990,
            "total_fen": 1_980,
            "status": "paid",
            "accepted_at": "2026-06-01T04:00:00Z",
            "paid_at": "2026-06-01T04:00:00Z",
            "issued_at": None,
            "closed_at": None,
        }

    def test_somebody_elses_is_not_there(self) -> None:
        purchase, other = paid.purchase(), paid.purchase()

        answer = Client().get(f"/api/v1/purchases/{purchase.public_id}", headers=customer(other))

        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "purchase_not_found")

    def test_her_list_is_hers_newest_first_a_page_at_a_time(self) -> None:
        first = paid.purchase()
        mine = [first] + [
            paid.purchase(offer=first.offer, customer_id=first.customer_id, accepted_at=NOW + timedelta(minutes=n))
            for n in (1, 2)
        ]
        paid.purchase(offer=first.offer)
        headers = customer(first)

        page = Client().get("/api/v1/purchases?limit=2", headers=headers).json()
        rest = Client().get(f"/api/v1/purchases?limit=2&cursor={page['next']}", headers=headers).json()

        listed = [item["purchase"] for item in page["items"] + rest["items"]]
        assert listed == [purchase.public_id for purchase in reversed(mine)]
        assert rest["next"] is None

    def test_staff_have_no_purchases(self) -> None:
        answer = Client().get("/api/v1/purchases", headers=staff(factories.brand(), "owner"))

        assert answer.status_code == 403


class TestRefundOfAVoucher:
    def test_she_gives_it_back_and_a_repeat_says_the_same(self) -> None:
        voucher, key = bought(), uuid4()

        first = ask_refund(voucher, key=key, headers=customer(voucher))
        again = ask_refund(voucher, key=key, headers=customer(voucher))

        assert (first.status_code, again.status_code) == (201, 200)
        assert first.json() == again.json()
        said = first.json()
        assert said["refund"] == Refund.objects.get().public_id
        assert (said["voucher"], said["amount_fen"], said["refund_status"]) == (voucher.public_id, 990, "requested")

    def test_the_repeat_tells_how_far_the_refund_is(self) -> None:
        voucher, key = bought(), uuid4()
        ask_refund(voucher, key=key, headers=customer(voucher))
        Refund.objects.update(status="sent")

        assert ask_refund(voucher, key=key, headers=customer(voucher)).json()["refund_status"] == "sent"

    def test_without_a_key_nothing_happens(self) -> None:
        voucher = bought()

        answer = Client().post(f"/api/v1/vouchers/{voucher.public_id}/refund", headers=customer(voucher))

        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_required")
        assert not Refund.objects.exists()

    def test_somebody_elses_voucher_is_not_there(self) -> None:
        voucher, other = bought(), bought()

        answer = ask_refund(voucher, key=uuid4(), headers=customer(other))

        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "voucher_not_found")


class TestRefundsOfABrand:
    @pytest.fixture
    def voucher(self) -> Voucher:
        voucher = bought()
        request_refund(voucher_id=voucher.pk, customer_id=voucher.customer_id, request_id=uuid4(), at=datetime.now(UTC))
        return voucher

    def test_failed_ones_are_the_work_list(self, voucher: Voucher) -> None:
        headers = staff(voucher.brand, "customer_service")
        assert Client().get("/api/v1/refunds?status=failed", headers=headers).json()["items"] == []

        Refund.objects.update(status="failed", attempts=3, last_error="account closed")

        [item] = Client().get("/api/v1/refunds?status=failed", headers=headers).json()["items"]
        assert (item["id"], item["amount_fen"]) == (Refund.objects.get().public_id, 990)
        assert (item["attempts"], item["last_error"]) == (3, "account closed")

    def test_another_brands_are_not_there(self, voucher: Voucher) -> None:
        headers = staff(factories.brand(), "owner")

        assert Client().get("/api/v1/refunds", headers=headers).json()["items"] == []
        answer = Client().get(f"/api/v1/refunds?brand={voucher.brand.public_id}", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "brand_not_found")

    @pytest.mark.parametrize("role", ["auditor", "finance"])
    def test_who_does_not_serve_customers_may_not(self, voucher: Voucher, role: str) -> None:
        answer = Client().get("/api/v1/refunds", headers=staff(voucher.brand, role))

        assert answer.status_code in {403, 404}

    def test_customers_may_not(self, voucher: Voucher) -> None:
        assert Client().get("/api/v1/refunds", headers=customer(voucher)).status_code == 403

    def test_an_unknown_filter_is_refused(self, voucher: Voucher) -> None:
        answer = Client().get("/api/v1/refunds?state=failed", headers=staff(voucher.brand, "owner"))

        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unknown_parameter")
