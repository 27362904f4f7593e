"""Keys for a brand's programs: shown once, kept as a hash, revoked for good."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.kernel.caller import Caller
from stores.errors import ApiClientNotFound
from stores.models import ApiClient
from stores.services import bearer_keys, trail

PREFIX = "hxk"


@dataclass(frozen=True)
class IssuedKey:
    """``key`` is here once and nowhere after."""

    client: ApiClient
    key: str


def create(*, brand_id: UUID, name: str, scopes: Collection[ApiClient.Scope], by: Caller, at: datetime) -> IssuedKey:
    """
    A new program of the brand with its key, ``hxk_<kid>_<secret>``.

    Not repeatable, because the key is not kept: who lost the answer revokes that client and makes another.
    """
    secret = bearer_keys.new_secret()
    client = ApiClient(
        brand_id=brand_id,
        name=name,
        key_hash=bearer_keys.hash_of(secret),
        scopes=sorted({scope.value for scope in scopes}),
        created_at=at,
    )
    with transaction.atomic(durable=True):
        client.save(force_insert=True)
        trail.leave(
            "api_client.created",
            client,
            brand_id=brand_id,
            by=by,
            at=at,
            details={"name": name, "scopes": client.scopes},
        )
    return IssuedKey(client=client, key=bearer_keys.key_of(PREFIX, client.id, secret))


def revoke(*, client_id: UUID, brand_id: UUID, by: Caller, at: datetime) -> ApiClient:
    """
    End a key: at once in the process that asks again, within 30 seconds everywhere. Repeating changes nothing.

    Raises:
        ApiClientNotFound: not a client of this brand.
    """
    with transaction.atomic(durable=True):
        client = ApiClient.objects.select_for_update().filter(id=client_id, brand_id=brand_id).first()
        if client is None:
            raise ApiClientNotFound
        if client.revoked_at is None:
            client.revoked_at = at
            client.save(update_fields=["revoked_at"])
            trail.leave("api_client.revoked", client, brand_id=brand_id, by=by, at=at, details={})
        return client
