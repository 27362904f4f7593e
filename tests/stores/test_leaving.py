"""Leaving is one act: nothing of hers works afterwards, and what is the store's stays."""

from datetime import UTC, datetime, timedelta

import pytest

from config.accounts import tokens
from config.kernel.errors import NotAllowed
from config.kernel.models import AuditEntry, OutboxMessage
from stores.errors import InvitationWithdrawn, LastOwner, StaffNotFound, WrongPin
from stores.models import Device, Invitation, Pin, Staff
from stores.queries import stores_for_clerks
from stores.services import devices, leaving
from tests import factories
from tests.factories import NOW
from tests.stores.people import PIN, Shop, caller, shop
from tests.vouchers.http import as_staff, error_of, get, post

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def here() -> Shop:
    return shop()


def test_everything_of_hers_ends_in_one_call(here: Shop) -> None:
    owner = factories.staff(here.brand, role="owner").user
    bound, invited = here.device(), here.invite()
    other = factories.staff(here.brand, role="clerk", store=factories.store(here.brand), user=here.manager)
    Pin.objects.create(user=here.manager, brand=here.brand, pin_hash="x", set_at=NOW)
    before = as_staff(here.manager)
    row = Staff.objects.get(user=here.manager, store=here.store)

    answer = post(f"staff/{row.public_id}/leave", as_staff(owner))

    assert answer.status_code == 200
    assert {one["id"] for one in answer.json()["ended"]} == {row.public_id, other.public_id}
    assert answer.json()["invitations_withdrawn"] == 1
    assert not Staff.objects.filter(user=here.manager, ended_at=None).exists()
    assert error_of(get("staff", before)) == (401, "not_signed_in")
    assert not Pin.objects.filter(user=here.manager).exists()
    with pytest.raises(InvitationWithdrawn):
        here.accept(invited.token, at=datetime.now(UTC))
    assert Device.objects.get(id=bound.device.id).ended_at is None
    assert get("devices/me", {"Authorization": f"Bearer {bound.key}"}).status_code == 200


def test_it_is_one_entry_in_the_trail_and_one_message(here: Shop) -> None:
    owner = factories.staff(here.brand, role="owner").user
    clerk = here.clerk()
    AuditEntry.objects.filter(brand_id=here.brand.id).count()

    for _ in range(2):
        left = leaving.leave(staff_id=clerk.id, by=caller(owner), at=NOW)

    assert left.staff == ()
    entry = AuditEntry.objects.get(act="staff.left")
    assert (entry.actor_id, entry.details["roles"]) == (owner.id, [clerk.public_id])
    message = OutboxMessage.objects.get(topic="staff.ended")
    assert [item["staff"] for item in message.items] == [clerk.public_id]


def test_her_pin_and_her_session_at_a_device_end(here: Shop) -> None:
    clerk, device = here.clerk(), here.device().device
    at = datetime.now(UTC)
    session = devices.switch(device_id=device.id, user_id=clerk.user_id, pin=PIN, at=at)
    read = tokens.read_token(session.token.text, at)
    pair = (here.store.id, read)
    assert pair in stores_for_clerks([pair], at)

    leaving.leave(staff_id=clerk.id, by=caller(here.manager), at=at + timedelta(seconds=1))

    later = at + timedelta(seconds=2)
    assert stores_for_clerks([pair], later) == {}
    with pytest.raises(WrongPin):
        devices.switch(device_id=device.id, user_id=clerk.user_id, pin=PIN, at=later)


def test_a_session_from_before_stays_ended_when_she_comes_back(here: Shop) -> None:
    clerk, at = here.clerk(), datetime.now(UTC)
    old = tokens.read_token(tokens.sign_staff(user_id=clerk.user_id, at=at).text, at)
    leaving.leave(staff_id=clerk.id, by=caller(here.manager), at=at + timedelta(seconds=1))
    factories.staff(here.brand, store=here.store, user=clerk.user)

    new = tokens.read_token(tokens.sign_staff(user_id=clerk.user_id, at=at + timedelta(seconds=3)).text, at)
    later = at + timedelta(seconds=4)
    assert set(stores_for_clerks([(here.store.id, old), (here.store.id, new)], later)) == {(here.store.id, new)}


def test_it_takes_power_over_every_role_of_hers(here: Shop) -> None:
    clerk = here.clerk()
    factories.staff(here.brand, role="finance", user=clerk.user)

    with pytest.raises(NotAllowed):
        leaving.leave(staff_id=clerk.id, by=caller(here.manager), at=NOW)

    assert Staff.objects.filter(user=clerk.user, ended_at=None).count() == 2
    with pytest.raises(StaffNotFound):
        leaving.leave(staff_id=clerk.id, by=caller(shop(here.brand).manager), at=NOW)
    assert len(leaving.leave(staff_id=clerk.id, by=caller(clerk.user), at=NOW).staff) == 2


def test_the_last_owner_stays(here: Shop) -> None:
    owner = factories.staff(here.brand, role="owner")

    with pytest.raises(LastOwner):
        leaving.leave(staff_id=owner.id, by=caller(owner.user), at=NOW)


def test_another_brand_of_hers_only_asks_her_to_sign_in_again(here: Shop) -> None:
    clerk = here.clerk()
    elsewhere = factories.staff(factories.brand(), role="owner", user=clerk.user)
    Invitation.objects.update(invited_by=clerk.user)  # those of another brand are not hers to lose here

    leaving.leave(staff_id=clerk.id, by=caller(here.manager), at=NOW)

    assert Staff.objects.get(id=elsewhere.id).ended_at is None
    assert get("brands/me", as_staff(clerk.user)).status_code == 200
