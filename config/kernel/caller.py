"""Who is calling, in one shape for every edge; ``config.accounts`` says how she proves it."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class CallerKind(StrEnum):
    CUSTOMER = "customer"
    STAFF = "staff"
    API_CLIENT = "api_client"
    MACHINE = "machine"
    OPERATOR = "operator"


@dataclass(frozen=True)
class Caller:
    """
    ``id`` is the customer's, user's or API client's; ``brand_id`` is set for customers and API clients.

    A staff member may serve several brands, so hers is decided by what she touches.
    """

    kind: CallerKind
    id: UUID | None
    brand_id: UUID | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    is_authenticated: bool = True  # what Django REST Framework asks of a request's user


MACHINE = Caller(kind=CallerKind.MACHINE, id=None)
"""A worker or sweeper: acts in nobody's name, one audit row a batch."""
