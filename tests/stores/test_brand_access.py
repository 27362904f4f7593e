"""For which brand a caller may act, and what she hears where she may not."""

from uuid import uuid4

import pytest

from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import NotAllowed
from stores.errors import BrandNotFound, BrandRequired, StoreNotFound
from stores.models import Brand
from stores.permissions import Permission, Role
from stores.queries import brand_for_caller, require_permission
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db


def person(*brands: Brand, role: Role = Role.OPERATOR) -> Caller:
    user = factories.user()
    for brand in brands:
        factories.staff(brand, role=role, user=user)
    return Caller(kind=CallerKind.STAFF, id=user.id)


def program(brand: Brand, *scopes: str) -> Caller:
    return Caller(kind=CallerKind.API_CLIENT, id=uuid4(), brand_id=brand.id, scopes=frozenset(scopes))


def test_a_person_of_one_brand_need_not_name_it_and_one_of_two_must() -> None:
    ours, other = factories.brand(), factories.brand()

    assert brand_for_caller(person(ours), Permission.SELL, at=NOW) == ours.id
    assert brand_for_caller(person(ours, other), Permission.SELL, at=NOW, brand=other.public_id) == other.id
    with pytest.raises(BrandRequired):
        brand_for_caller(person(ours, other), Permission.SELL, at=NOW)


def test_a_program_has_one_brand_and_needs_the_scope() -> None:
    ours, other = factories.brand(), factories.brand()

    assert brand_for_caller(program(ours, "selling"), Permission.SELL, at=NOW) == ours.id
    with pytest.raises(BrandNotFound):
        brand_for_caller(program(ours, "selling"), Permission.SELL, at=NOW, brand=other.public_id)
    with pytest.raises(NotAllowed):
        brand_for_caller(program(ours, "catalog"), Permission.SELL, at=NOW)


def test_a_customer_acts_for_no_brand() -> None:
    brand = factories.brand()
    customer = Caller(kind=CallerKind.CUSTOMER, id=uuid4(), brand_id=brand.id)

    with pytest.raises(NotAllowed):
        brand_for_caller(customer, Permission.SELL, at=NOW)


def test_another_brands_row_is_not_there_and_ones_own_may_be_forbidden() -> None:
    ours, other = factories.brand(), factories.brand()
    auditor = person(ours, role=Role.AUDITOR)

    require_permission(person(ours), Permission.SELL, brand_id=ours.id, at=NOW, missing=StoreNotFound)
    with pytest.raises(StoreNotFound):
        require_permission(person(ours), Permission.SELL, brand_id=other.id, at=NOW, missing=StoreNotFound)
    with pytest.raises(StoreNotFound):
        require_permission(program(ours, "selling"), Permission.SELL, brand_id=other.id, at=NOW, missing=StoreNotFound)
    with pytest.raises(NotAllowed):
        require_permission(auditor, Permission.SELL, brand_id=ours.id, at=NOW, missing=StoreNotFound)
