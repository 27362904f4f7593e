"""Facts announced to the apps above, inside the transaction that made them. A receiver that raises undoes it."""

from dataclasses import dataclass
from uuid import UUID

from django.dispatch import Signal

NONE: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class ReachChange:
    """Regions and groups that stores are about to leave and to join, and the stores that become dearer."""

    brand_id: UUID
    leaving: frozenset[UUID] = NONE
    joining: frozenset[UUID] = NONE
    dearer: frozenset[UUID] = NONE


calendar_published = Signal()
"""``brand_id``, ``year``: what was sold under an earlier version may have gained days."""

reach_changing = Signal()
"""
``change: ReachChange``, under the brand's lock and not yet written. Whoever promised something about these stores
objects with ``StoreIsPromised``.
"""

store_closed = Signal()
"""``store: Store``, ``by: Caller``, ``at``: a store closed for good; no other closes in its brand meanwhile."""
