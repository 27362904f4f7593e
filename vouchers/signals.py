"""
Facts announced to the apps above, inside the transaction that made them: one signal for each batch.

A receiver that raises undoes the batch, which is the point: the ledger and the redemption commit together.
"""

from django.dispatch import Signal

redeemed = Signal()
"""``redemptions: list[Redemption]``, ``at``: uses were consumed."""

reversed_ = Signal()
"""``redemptions: list[Redemption]``, ``at``: their uses are free again."""

uses_expired = Signal()
"""
``endings: list[UseEnding]`` with their ``voucher``, ``at``: the time of uses that were paid for is over.
Where ``refund_follows`` is false nothing goes back: breakage.
"""
