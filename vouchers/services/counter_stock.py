"""
What uses at a counter take from the store's stock, as far as a voucher alone says it.

A package whose groups leave no choice says what is handed over, and so does a card for one product. Where the
customer chooses at the counter nobody writes down what, and nothing is taken: the next stock-take finds it.
Money settles elsewhere; this is only about cups.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from config.kernel.pipeline import Cursor, Send
from stores.services import handing_over
from stores.services.handing_over import Taken
from vouchers.models import Redemption
from vouchers.services.instead import NOTHING, Replacing
from vouchers.verdict import Terms


def send_taken(
    send: Send,
    redemptions: Sequence[Redemption],
    terms: Mapping[UUID, Terms],
    *,
    replaced: Mapping[UUID, Replacing] = MappingProxyType({}),
    at: datetime,
) -> Cursor | None:
    """
    Take what these redemptions hand over, on the caller's trip; None where no voucher says what it is.

    ``replaced`` says by redemption what is handed over instead of what its voucher says.

    Runs inside the caller's transaction, under the vouchers' locks. ``redemptions`` carry their ``voucher``.
    """
    taken = list(_taken(redemptions, terms, replaced))
    return handing_over.send_hand_over(send, taken, at=at) if taken else None


def _taken(
    redemptions: Sequence[Redemption], terms: Mapping[UUID, Terms], replaced: Mapping[UUID, Replacing]
) -> Iterator[Taken]:
    for one in redemptions:
        handed_over = replaced.get(one.id, NOTHING).handed_over(terms[one.voucher.terms_id])
        for product_id, count in handed_over.items():
            yield Taken(one.store_id, product_id, count, one.business_date, one.id)
