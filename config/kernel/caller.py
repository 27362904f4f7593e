"""Who is calling, in one shape for every edge; ``config.accounts`` says how she proves it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID


class CallerKind(StrEnum):
    CUSTOMER = "customer"
    STAFF = "staff"
    COUNTER = "counter"
    DEVICE = "device"
    API_CLIENT = "api_client"
    MACHINE = "machine"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Caller:
    """
    ``id`` is the customer's, user's, device's or API client's; ``brand_id`` is set for all but staff.

    A staff member may serve several brands, so hers is decided by what she touches. COUNTER is a staff
    member who switched to herself by PIN on the device ``device_id``: a kind of its own, so that what
    does not name it refuses her. ``signed_at`` is when a token was.
    """

    kind: CallerKind
    id: UUID | None
    brand_id: UUID | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    device_id: UUID | None = None
    signed_at: datetime | None = None
    is_authenticated: bool = True  # what Django REST Framework asks of a request's user

    @property
    def actor_kind(self) -> CallerKind:
        """The kind that a trail keeps: who switched to herself by PIN on a device is a member of the staff."""
        return CallerKind.STAFF if self.kind is CallerKind.COUNTER else self.kind


MACHINE = Caller(kind=CallerKind.MACHINE, id=None)
"""A worker or sweeper: acts in nobody's name, one audit row a batch."""
