"""Who works where: appointed, ended and given passwords within the reach of who does it."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from config.accounts.models import User
from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import DomainError, NotAllowed
from config.kernel.models import AuditEntry
from stores.errors import (
    LastOwner,
    PasswordTooWeak,
    RegionNotFound,
    RoleDoesNotFit,
    StaffNotFound,
    StoreNotFound,
    UsernameTaken,
)
from stores.models import Region, Staff
from stores.permissions import APPOINTS, Role
from stores.queries import stores_for_clerks
from stores.services import staffing
from stores.services.made import Made
from stores.services.people import NewPerson
from stores.services.staffing import Place
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "qingyu-7-green-leaves"


class Chain:
    def __init__(self) -> None:
        self.brand = factories.brand()
        self.region = Region.objects.create(brand=self.brand, code="ZJ", name="浙江")
        self.entity = factories.entity(self.brand)
        self.store = factories.store(self.brand, entity=self.entity, region=self.region)
        self.other_store = factories.store(self.brand)
        self.foreign = factories.brand()
        self.places = {
            Role.REGION_SUPERVISOR: Place(region_id=self.region.id),
            Role.FRANCHISEE: Place(entity_id=self.entity.id),
            Role.STORE_MANAGER: Place(store_id=self.store.id),
            Role.CLERK: Place(store_id=self.store.id),
        }

    def holder(self, role: Role) -> Caller:
        place = self.places.get(role, Place())
        row = factories.staff(
            self.brand,
            role=role,
            region_id=place.region_id,
            entity_id=place.entity_id,
            **({"store_id": place.store_id} if place.store_id else {}),
        )
        return staff_caller(row.user_id)


def staff_caller(user_id: UUID) -> Caller:
    return Caller(kind=CallerKind.STAFF, id=user_id)


@dataclass
class Appointing:
    chain: Chain
    by: Caller

    def __call__(
        self, role: Role = Role.CLERK, place: Place | None = None, username: str = "xiaoqing", password: str = PASSWORD
    ) -> Made[Staff]:
        return staffing.appoint(
            brand_id=self.chain.brand.id,
            person=NewPerson(username=username, password=password, display_name="小青"),
            role=role,
            place=self.chain.places.get(role, Place()) if place is None else place,
            by=self.by,
            at=NOW,
        )


@pytest.fixture
def chain() -> Chain:
    return Chain()


@pytest.fixture
def owner_appoints(chain: Chain) -> Appointing:
    return Appointing(chain, chain.holder(Role.OWNER))


def code_of(act: object) -> str:
    assert callable(act)
    try:
        act()
    except DomainError as refusal:
        return refusal.code
    return "done"


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("by", list(Role))
def test_each_role_appoints_what_the_table_says(chain: Chain, by: Role, role: Role) -> None:
    appoint = Appointing(chain, chain.holder(by))

    outcome = code_of(lambda: appoint(role))

    assert outcome == ("done" if role in APPOINTS.get(by, ()) else "not_allowed")


@pytest.mark.parametrize("by", [Role.REGION_SUPERVISOR, Role.FRANCHISEE, Role.STORE_MANAGER])
def test_nobody_appoints_at_a_store_beyond_her_reach(chain: Chain, by: Role) -> None:
    appoint = Appointing(chain, chain.holder(by))

    with pytest.raises(NotAllowed):
        appoint(Role.CLERK, Place(store_id=chain.other_store.id))


def test_a_clerk_can_work_at_once_with_her_password(chain: Chain, owner_appoints: Appointing) -> None:
    staff = owner_appoints().row

    user = User.objects.get(username="xiaoqing")
    assert user.check_password(PASSWORD)
    assert stores_for_clerks([(chain.store.id, user.id)], NOW)
    trail = AuditEntry.objects.get(subject_id=staff.id)
    assert (trail.act, trail.actor_id, trail.brand_id) == ("staff.appointed", owner_appoints.by.id, chain.brand.id)


def test_the_same_again_is_the_same_row(owner_appoints: Appointing) -> None:
    first, again = owner_appoints(), owner_appoints(password="another-long-password-9")

    assert (first.is_new, again.is_new) == (True, False)
    assert first.row == again.row
    assert User.objects.get(username="xiaoqing").check_password(PASSWORD), "a repeat resets nobody's password"
    assert AuditEntry.objects.filter(act="staff.appointed").count() == 1


def test_an_ended_role_may_be_given_again(owner_appoints: Appointing) -> None:
    first = owner_appoints().row
    staffing.end(staff_id=first.id, by=owner_appoints.by, at=NOW)

    assert owner_appoints().row != first


def test_one_person_may_hold_roles_at_two_stores(chain: Chain, owner_appoints: Appointing) -> None:
    first = owner_appoints().row
    second = owner_appoints(Role.STORE_MANAGER, Place(store_id=chain.other_store.id)).row

    assert first.user_id == second.user_id


def test_another_brands_person_is_not_drawn_in_by_her_name(chain: Chain, owner_appoints: Appointing) -> None:
    hers = factories.user(username="xiaoqing")
    factories.staff(chain.foreign, role="owner", user=hers)

    with pytest.raises(UsernameTaken):
        owner_appoints()


def test_a_weak_password_makes_nobody(owner_appoints: Appointing) -> None:
    with pytest.raises(PasswordTooWeak):
        owner_appoints(password="12345")
    assert not User.objects.filter(username="xiaoqing").exists()


@pytest.mark.parametrize("role", list(Role))
def test_a_role_names_the_place_it_reaches_over_and_no_other(
    chain: Chain, owner_appoints: Appointing, role: Role
) -> None:
    everything = Place(region_id=chain.region.id, entity_id=chain.entity.id, store_id=chain.store.id)

    with pytest.raises(RoleDoesNotFit):
        owner_appoints(role, everything)
    if role in chain.places:
        with pytest.raises(RoleDoesNotFit):
            owner_appoints(role, Place())


def test_places_of_other_brands_are_not_there(chain: Chain, owner_appoints: Appointing) -> None:
    abroad = Region.objects.create(brand=chain.foreign, code="X", name="X")

    with pytest.raises(StoreNotFound):
        owner_appoints(Role.CLERK, Place(store_id=factories.store(chain.foreign).id))
    with pytest.raises(RegionNotFound):
        owner_appoints(Role.REGION_SUPERVISOR, Place(region_id=abroad.id))


def test_ending_stops_her_at_once_and_keeps_the_row(chain: Chain, owner_appoints: Appointing) -> None:
    staff = owner_appoints().row

    ended = staffing.end(staff_id=staff.id, by=owner_appoints.by, at=NOW)
    again = staffing.end(staff_id=staff.id, by=owner_appoints.by, at=NOW + timedelta(hours=1))

    assert ended.ended_at == again.ended_at == NOW
    assert stores_for_clerks([(chain.store.id, staff.user_id)], NOW) == {}
    assert AuditEntry.objects.filter(act="staff.ended").count() == 1


def test_who_may_not_appoint_a_role_does_not_see_its_row(chain: Chain, owner_appoints: Appointing) -> None:
    manager_row = owner_appoints(Role.STORE_MANAGER).row
    foreign_owner = factories.staff(chain.foreign, role="owner")

    for by in (chain.holder(Role.CLERK), chain.holder(Role.FINANCE), staff_caller(foreign_owner.user_id)):
        with pytest.raises(StaffNotFound):
            staffing.end(staff_id=manager_row.id, by=by, at=NOW)


def test_anybody_may_leave_by_herself(owner_appoints: Appointing) -> None:
    staff = owner_appoints().row

    assert staffing.end(staff_id=staff.id, by=staff_caller(staff.user_id), at=NOW).ended_at == NOW


def test_the_last_owner_stays(chain: Chain, owner_appoints: Appointing) -> None:
    first = Staff.objects.get(user_id=owner_appoints.by.id)
    with pytest.raises(LastOwner):
        staffing.end(staff_id=first.id, by=owner_appoints.by, at=NOW)

    second = owner_appoints(Role.OWNER).row

    assert staffing.end(staff_id=first.id, by=staff_caller(second.user_id), at=NOW).ended_at == NOW


def test_a_manager_gives_her_clerk_a_new_password(chain: Chain, owner_appoints: Appointing) -> None:
    clerk = owner_appoints().row

    staffing.set_password(staff_id=clerk.id, password="eleven-cups-of-tea", by=chain.holder(Role.STORE_MANAGER), at=NOW)

    assert User.objects.get(username="xiaoqing").check_password("eleven-cups-of-tea")
    assert AuditEntry.objects.filter(act="staff.password_set").count() == 1


def test_a_password_takes_power_over_every_role_of_its_holder(chain: Chain, owner_appoints: Appointing) -> None:
    clerk = owner_appoints().row
    manager = chain.holder(Role.STORE_MANAGER)

    def reset() -> str:
        return code_of(
            lambda: staffing.set_password(staff_id=clerk.id, password="eleven-cups-of-tea", by=manager, at=NOW)
        )

    elsewhere = factories.staff(chain.foreign, role="owner", user=clerk.user)
    assert reset() == "not_allowed"
    Staff.objects.filter(id=elsewhere.id).update(ended_at=NOW)
    owner_appoints(Role.FINANCE)
    assert reset() == "not_allowed"
    Staff.objects.filter(user=clerk.user, role="finance").update(ended_at=NOW)
    User.objects.filter(id=clerk.user_id).update(is_superuser=True)
    assert reset() == "not_allowed"
    User.objects.filter(id=clerk.user_id).update(is_superuser=False)
    assert reset() == "done"


def test_the_password_of_who_has_left_is_nobodys_to_set(owner_appoints: Appointing) -> None:
    staff = owner_appoints().row
    staffing.end(staff_id=staff.id, by=owner_appoints.by, at=NOW)

    with pytest.raises(StaffNotFound):
        staffing.set_password(staff_id=staff.id, password="eleven-cups-of-tea", by=owner_appoints.by, at=NOW)


def test_a_program_appoints_nobody(chain: Chain) -> None:
    program = Caller(kind=CallerKind.API_CLIENT, id=chain.brand.id, brand_id=chain.brand.id)

    with pytest.raises(NotAllowed):
        Appointing(chain, program)()
