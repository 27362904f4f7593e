"""An invitation makes one colleague, once, where its maker may appoint her."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from config.kernel.errors import IdempotencyConflict, NotAllowed
from config.kernel.models import AuditEntry, OutboxMessage
from stores.errors import (
    InvitationExpired,
    InvitationNotFound,
    InvitationUsed,
    InvitationWithdrawn,
    PasswordTooWeak,
    PinTooWeak,
    StoreIsClosed,
    StoreNotFound,
    UsernameTaken,
)
from stores.models import Invitation, Pin, Staff
from stores.permissions import Role
from stores.services import invitations, pins, staffing
from stores.services.bearer_keys import hash_of
from tests import factories
from tests.factories import NOW
from tests.stores.people import PASSWORD, PIN, Shop, caller, shop
from tests.vouchers.http import as_staff, error_of, get, post

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def here() -> Shop:
    return shop()


def test_two_calls_make_a_clerk_with_a_name_a_sign_in_and_a_pin(here: Shop) -> None:
    token = post(f"stores/{here.store.public_id}/invitations", as_staff(here.manager), {"role": "clerk"}).json()[
        "token"
    ]

    body = {"token": token, "name": "小林", "username": "xiaolin.7", "password": PASSWORD, "pin": PIN}
    answer = post("invitations/accept", {}, body)

    assert answer.status_code == 201
    staff = Staff.objects.select_related("user").get(store=here.store, role="clerk")
    assert (staff.user.username, staff.user.display_name) == ("xiaolin.7", "小林")
    assert pins.is_right(Pin.objects.get(user=staff.user, brand=here.brand), PIN)
    assert post("staff/sign-in", {}, {"username": "xiaolin.7", "password": PASSWORD}).status_code == 200


def test_the_token_is_shown_once_and_kept_as_a_hash(here: Shop) -> None:
    answer = post(f"stores/{here.store.public_id}/invitations", as_staff(here.manager), {})

    token, shown = answer.json()["token"], answer.json()["invitation"]
    assert answer["Cache-Control"] == "no-store"
    kept = Invitation.objects.get()
    assert bytes(kept.token_hash) == hash_of(token.rpartition("_")[2])
    listed = get(f"stores/{here.store.public_id}/invitations", as_staff(here.manager)).json()["items"]
    assert listed == [shown]
    assert token not in str(listed)


def test_it_says_what_it_would_make_before_she_gives_her_name(here: Shop) -> None:
    invited = here.invite(role=Role.CLERK, at=datetime.now(UTC))

    assert post("invitations/check", {}, {"token": invited.token}).json() == {
        "brand_name": here.brand.name,
        "store_name": here.store.name,
        "role": "clerk",
        "expires_at": invited.invitation.expires_at.isoformat().replace("+00:00", "Z"),
    }
    assert error_of(post("invitations/check", {}, {"token": "hxi_x_y"})) == (404, "invitation_not_found")


def test_it_works_once(here: Shop) -> None:
    token = here.invite().token
    here.accept(token)

    with pytest.raises(InvitationUsed):
        here.accept(token, username="another")

    assert not Staff.objects.filter(user__username="another").exists()


def test_a_lost_answer_may_be_asked_for_again(here: Shop) -> None:
    token, key = here.invite().token, uuid4()
    first = here.accept(token, request_id=key, username="xiaolin")

    again = here.accept(token, request_id=key, username="xiaolin")

    assert (again.row, again.is_new) == (first.row, False)
    assert Staff.objects.filter(store=here.store, role="clerk").count() == 1
    with pytest.raises(IdempotencyConflict):
        here.accept(token, request_id=key, username="somebody-else")


def test_it_ends_at_its_hour(here: Shop) -> None:
    invited = here.invite()
    ends = invited.invitation.expires_at

    with pytest.raises(InvitationExpired):
        here.accept(invited.token, at=ends)

    here.accept(invited.token, at=ends - timedelta(microseconds=1))


def test_it_can_be_taken_back_until_it_is_used(here: Shop) -> None:
    invited, by = here.invite(), caller(here.manager)
    for _ in range(2):
        taken = invitations.withdraw(invitation_id=invited.invitation.id, by=by, at=NOW)
    assert taken.withdrawn_at == NOW
    assert AuditEntry.objects.filter(act="invitation.withdrawn").count() == 1
    with pytest.raises(InvitationWithdrawn):
        here.accept(invited.token)

    used = here.invite()
    here.accept(used.token)
    with pytest.raises(InvitationUsed):
        invitations.withdraw(invitation_id=used.invitation.id, by=by, at=NOW)


def test_it_is_void_when_its_maker_may_no_longer_appoint(here: Shop) -> None:
    token = here.invite().token
    row = Staff.objects.get(user=here.manager)
    staffing.end(staff_id=row.id, by=caller(here.manager), at=NOW)

    with pytest.raises(InvitationWithdrawn):
        here.accept(token, at=NOW + timedelta(minutes=1))


def test_nobody_invites_above_herself_or_outside_her_store(here: Shop) -> None:
    with pytest.raises(NotAllowed):
        here.invite(role=Role.STORE_MANAGER)
    clerk = factories.staff(here.brand, store=here.store).user
    with pytest.raises(NotAllowed):
        here.invite(by=clerk)
    stranger = shop(here.brand).manager
    with pytest.raises(StoreNotFound):
        here.invite(by=stranger)
    with pytest.raises(InvitationNotFound):
        invitations.withdraw(invitation_id=here.invite().invitation.id, by=caller(stranger), at=NOW)


def test_a_closed_store_needs_nobody() -> None:
    here = shop(status="closed", closed_at=NOW)

    with pytest.raises(StoreIsClosed):
        here.invite()


@pytest.mark.parametrize(
    ("chosen", "refusal"),
    [({"username": "taken"}, UsernameTaken), ({"password": "short"}, PasswordTooWeak), ({"pin": "1234"}, PinTooWeak)],
)
def test_a_bad_choice_leaves_it_open(here: Shop, chosen: dict[str, Any], refusal: type[Exception]) -> None:
    factories.user(username="taken")
    token = here.invite().token

    with pytest.raises(refusal):
        here.accept(token, **chosen)

    assert here.accept(token).is_new


def test_it_leaves_a_trail_and_tells_the_brand(here: Shop) -> None:
    invited = here.invite()
    staff = here.accept(invited.token).row

    made, accepted = AuditEntry.objects.filter(brand_id=here.brand.id).order_by("at", "id")
    assert (made.act, made.actor_id) == ("invitation.made", here.manager.id)
    assert (accepted.act, accepted.actor_id) == ("invitation.accepted", staff.user_id)
    [message] = OutboxMessage.objects.filter(brand_id=here.brand.id)
    assert (message.topic, message.items[0]["staff"]) == ("staff.appointed", staff.public_id)


def test_what_is_no_token_is_no_invitation(here: Shop) -> None:
    here.invite()

    for token in ("", "hxi_", "hxi_00000000_", "hxi_00000000_" + "0" * 64, "hxk_00000000_" + "0" * 64):
        with pytest.raises(InvitationNotFound):
            here.accept(token)
