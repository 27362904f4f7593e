"""Calling the API as somebody; the edge reads the real clock, so vouchers here are bought today."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from django.test import Client

from config.accounts import tokens
from config.accounts.models import User
from stores.models import Customer


def as_staff(user: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens.sign_staff(user_id=user.id, at=datetime.now(UTC)).text}"}


def as_customer(customer: Customer) -> dict[str, str]:
    token = tokens.sign_customer(customer_id=customer.id, brand_id=customer.brand_id, at=datetime.now(UTC))
    return {"Authorization": f"Bearer {token.text}"}


def get(path: str, who: dict[str, str], **query: Any) -> Any:
    return Client().get(f"/api/v1/{path}", query, headers=who)


def post(path: str, who: dict[str, str], body: Any = None, *, key: UUID | None = None) -> Any:
    headers = {**who, "Idempotency-Key": str(key or uuid4())}
    return Client().post(f"/api/v1/{path}", body or {}, content_type="application/json", headers=headers)


def put(path: str, who: dict[str, str], body: Any) -> Any:
    return Client().put(f"/api/v1/{path}", body, content_type="application/json", headers=who)


def error_of(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def delete(path: str, who: dict[str, str]) -> Any:
    return Client().delete(f"/api/v1/{path}", headers=who)
