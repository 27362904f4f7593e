"""Who is calling, from the request's credentials."""

import hmac
import threading
from collections import OrderedDict
from datetime import datetime, timedelta

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from config.accounts import tokens
from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import NotSignedIn
from stores.models import ApiClient
from stores.queries import is_live
from stores.services import api_clients, bearer_keys, devices

REMEMBERED_SECONDS = 30
REMEMBERED_AT_MOST = 1_024


class CallerAuthentication(BaseAuthentication):
    """Bearer tokens of customers and staff, keys of a brand's programs and of its devices."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        """
        The caller; None where no credentials came, which public operations allow.

        Raises:
            NotSignedIn: credentials that this site does not know, or no longer.
            TokenExpired: a token past its time.
        """
        header = request.headers.get("Authorization")
        if header is None:
            return None
        scheme, _, credentials = header.partition(" ")
        if scheme.lower() != "bearer" or not credentials:
            raise NotSignedIn
        at = timezone.now()
        if credentials.startswith(f"{api_clients.PREFIX}_"):
            return known_keys.caller_of(credentials, at), None
        if credentials.startswith(f"{devices.PREFIX}_"):
            return _device_of(credentials), None
        found = tokens.read_token(credentials, at)
        if not is_live(found):
            raise NotSignedIn
        return found, None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class KnownKeys:
    """
    Callers by API key, each remembered for 30 seconds, so a busy program costs no statement a call.

    A revoked key therefore lives up to 30 seconds in other processes. Unknown keys are not
    remembered: guessing would push the known ones out.
    """

    def __init__(self) -> None:
        self._callers: OrderedDict[bytes, tuple[Caller, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def caller_of(self, key: str, at: datetime) -> Caller:
        """
        Raises:
            NotSignedIn: malformed, unknown or revoked.
        """
        kid, hashed = _parts_of(key)
        caller = self._remembered(hashed, at) or self._look_up(hashed, at)
        assert caller.id is not None, "programs have ids"
        if not hmac.compare_digest(bearer_keys.kid_of(caller.id), kid):
            raise NotSignedIn
        return caller

    def remembers(self, key: str, at: datetime) -> bool:
        """Whether ``caller_of`` will answer without asking the database."""
        return self._remembered(_parts_of(key)[1], at) is not None

    def forget(self) -> None:
        with self._lock:
            self._callers.clear()

    def _remembered(self, hashed: bytes, at: datetime) -> Caller | None:
        with self._lock:
            caller, until = self._callers.get(hashed, (None, at))
        return caller if until > at else None

    def _look_up(self, hashed: bytes, at: datetime) -> Caller:
        client = ApiClient.objects.filter(key_hash=hashed, revoked_at__isnull=True).first()
        if client is None:
            raise NotSignedIn
        caller = Caller(
            kind=CallerKind.API_CLIENT, id=client.id, brand_id=client.brand_id, scopes=frozenset(client.scopes)
        )
        with self._lock:
            self._callers[hashed] = caller, at + timedelta(seconds=REMEMBERED_SECONDS)
            self._callers.move_to_end(hashed)
            while len(self._callers) > REMEMBERED_AT_MOST:
                self._callers.popitem(last=False)
        return caller


known_keys = KnownKeys()


def _device_of(key: str) -> Caller:
    device = devices.by_key(key)
    if device is None:
        raise NotSignedIn
    return Caller(kind=CallerKind.DEVICE, id=device.id, brand_id=device.brand_id, device_id=device.id)


def _parts_of(key: str) -> tuple[str, bytes]:
    """The kid of a key, and the hash of its secret."""
    parts = bearer_keys.parts_of(key)
    if parts is None:
        raise NotSignedIn
    return parts
