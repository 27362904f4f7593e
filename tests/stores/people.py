"""A store with its manager, and colleagues who come by invitation."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from config.accounts.models import User
from config.kernel.caller import Caller, CallerKind
from stores.models import Brand, Staff, Store
from stores.permissions import Role
from stores.services import devices, invitations
from stores.services.devices import BoundDevice
from stores.services.invitations import Invited
from stores.services.made import Made
from stores.services.people import NewPerson
from tests import factories
from tests.factories import NOW

PASSWORD = "qingyu-7-green-leaves"
PIN = "4071"


def caller(user: User) -> Caller:
    return Caller(kind=CallerKind.STAFF, id=user.id)


@dataclass
class Shop:
    brand: Brand
    store: Store
    manager: User

    def invite(self, *, role: Role = Role.CLERK, by: User | None = None, at: datetime = NOW) -> Invited:
        return invitations.invite(
            store=self.store.public_id,
            role=role,
            open_for=timedelta(hours=24),
            by=caller(by or self.manager),
            at=at,
        )

    def accept(self, token: str, *, request_id: UUID | None = None, at: datetime = NOW, **fields: Any) -> Made[Staff]:
        person = NewPerson(
            username=fields.pop("username", f"xiaolin-{uuid4().hex[:8]}"),
            password=fields.pop("password", PASSWORD),
            display_name=fields.pop("name", "小林"),
        )
        pin = fields.pop("pin", PIN)
        return invitations.accept(token=token, person=person, pin=pin, request_id=request_id or uuid4(), at=at)

    def clerk(self) -> Staff:
        """Somebody who came by invitation, with a PIN."""
        return self.accept(self.invite().token).row

    def device(self, name: str = "收银台") -> BoundDevice:
        return devices.bind(store=self.store.public_id, name=name, by=caller(self.manager), at=NOW)


def shop(brand: Brand | None = None, **fields: Any) -> Shop:
    brand = brand or factories.brand()
    store = factories.store(brand, **fields)
    return Shop(brand, store, factories.staff(brand, role="store_manager", store=store).user)
