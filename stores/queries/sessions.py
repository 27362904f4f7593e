"""Whether a token or a cookie still speaks for somebody, and who may switch to herself on a device."""

import hashlib
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, Q, QuerySet

from config.accounts.models import User
from config.kernel.caller import Caller, CallerKind
from stores.models import Customer, CustomerSession, Device, Pin, Staff
from stores.permissions import Permission, roles_with


def is_live(caller: Caller) -> bool:
    """
    Whether a person's token still speaks for her: she is active, her sessions have not been ended since
    it was signed, and neither has the device that it is for. Other credentials say it themselves.
    """
    if caller.kind not in (CallerKind.STAFF, CallerKind.COUNTER):
        return True
    assert caller.id is not None, "people have ids"
    hers = User.objects.filter(Q(sessions_from=None) | Q(sessions_from__lte=caller.signed_at))
    hers = hers.filter(id=caller.id, is_active=True)
    if caller.kind is CallerKind.COUNTER:
        assert caller.device_id is not None, "she stands at a device"
        hers = hers.filter(Exists(Device.objects.filter(id=caller.device_id, ended_at=None)))
    return hers.exists()


def clerks_of_device(device: Device, *, at: datetime) -> QuerySet[User]:
    """
    Whom a device shows to choose from: the store's own people who may redeem and have a PIN.

    Those whose role reaches further (a supervisor, a franchisee) may switch on it, and are not listed at each store.
    """
    roles = [role.value for role in roles_with(Permission.REDEEM)]
    here = Staff.objects.filter(store_id=device.store_id, role__in=roles).exclude(ended_at__lte=at)
    with_pin = Pin.objects.filter(brand_id=device.brand_id)
    people = User.objects.filter(is_active=True, id__in=here.values("user_id"))
    return people.filter(id__in=with_pin.values("user_id")).order_by("display_name", "id")


def customer_of_session(key: str, *, brand_id: UUID, at: datetime) -> Customer | None:
    """Who of ``brand_id`` is signed in under a cookie's key; None where the session is over, or another brand's."""
    session = (
        CustomerSession.objects.filter(key_hash=hashlib.sha256(key.encode()).digest(), ended_at=None, expires_at__gt=at)
        .filter(customer__brand_id=brand_id)
        .select_related("customer")
        .first()
    )
    return session.customer if session else None
