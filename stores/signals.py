"""Facts announced to the apps above, inside the transaction that made them. A receiver that raises undoes it."""

from django.dispatch import Signal

calendar_published = Signal()
"""``brand_id``, ``year``: what was sold under an earlier version may have gained days."""

group_changing = Signal()
"""``group: StoreGroup``, ``joining`` and ``leaving``: sets of store ids, about to be written."""

store_closed = Signal()
"""``store: Store``, ``by: Caller``, ``at``: a store closed for good; no other closes in its brand meanwhile."""
