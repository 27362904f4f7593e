"""In whose name a use is redeemed or undone, as the trail keeps it."""

from dataclasses import dataclass
from uuid import UUID

from config.kernel.caller import CallerKind
from config.kernel.ids import public
from stores.models import Device
from stores.queries import Who


@dataclass(frozen=True, slots=True)
class Actor:
    """A clerk, perhaps at a device, a till's program, or the customer herself."""

    kind: CallerKind
    id: UUID
    device_id: UUID | None = None

    @property
    def operator_id(self) -> UUID | None:
        """The staff member who did it; customers and programs are none."""
        return self.id if self.kind is CallerKind.STAFF else None

    @property
    def told(self) -> dict[str, str]:
        """What of her the details of a trail add to her kind and id."""
        return {"device": public(Device.PREFIX, self.device_id)} if self.device_id else {}


def actor_of(who: Who) -> Actor:
    """Whoever stands at a counter: a clerk with her password or her PIN, or a program."""
    if isinstance(who, UUID):
        return Actor(CallerKind.STAFF, who)
    assert who.id is not None, "machines do not stand at counters"
    return Actor(who.actor_kind, who.id, who.device_id)
