"""
What uses at a counter take from the store's stock, as far as a voucher alone says it.

A package whose groups leave no choice says what is handed over, and so does a card for one product. Where the
customer chooses at the counter nobody writes down what, and nothing is taken: the next stock-take finds it.
Money settles elsewhere; this is only about cups.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from config.kernel.pipeline import Cursor, Send
from stores.services import handing_over
from stores.services.handing_over import Taken
from vouchers.models import Redemption
from vouchers.queries.plannable import certain_products
from vouchers.verdict import Terms


def send_taken(
    send: Send, redemptions: Sequence[Redemption], terms: Mapping[UUID, Terms], *, at: datetime
) -> Cursor | None:
    """
    Take what these redemptions hand over, on the caller's trip; None where no voucher says what it is.

    Runs inside the caller's transaction, under the vouchers' locks. ``redemptions`` carry their ``voucher``.
    """
    taken = list(_taken(redemptions, terms))
    return handing_over.send_hand_over(send, taken, at=at) if taken else None


def _taken(redemptions: Sequence[Redemption], terms: Mapping[UUID, Terms]) -> Iterator[Taken]:
    for one in redemptions:
        for product_id, count in certain_products(terms[one.voucher.terms_id]).items():
            yield Taken(one.store_id, product_id, count, one.business_date, one.id)
