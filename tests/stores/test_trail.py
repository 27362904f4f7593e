"""In whose name an act at a store is kept."""

import pytest

from config.accounts import tokens
from config.kernel.models import AuditEntry
from stores.services import devices, ordering
from tests.factories import NOW
from tests.stores import people
from tests.stores.people import PIN


@pytest.mark.django_db(transaction=True)
def test_who_switched_by_pin_on_a_device_is_staff_in_the_trail() -> None:
    shop = people.shop()
    clerk, device = shop.clerk().user, shop.device().device
    session = devices.switch(device_id=device.id, user_id=clerk.id, pin=PIN, at=NOW)

    by = tokens.read_token(session.token.text, NOW)
    ordering.pause(store_id=shop.store.id, minutes=15, by=by, at=NOW)

    trail = AuditEntry.objects.get(act="store.ordering_paused")
    assert (trail.actor_kind, trail.actor_id) == ("staff", clerk.id)
