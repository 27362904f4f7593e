"""Who calls the lane: tokens only, read without the database."""

from datetime import datetime
from uuid import UUID

from config.accounts import tokens
from config.accounts.caller import CallerKind
from config.kernel.errors import NotAllowed
from livestream.lane.http import Call


def customer_of(call: Call, *, at: datetime) -> tuple[UUID, UUID]:
    """
    The (customer_id, brand_id) behind the call's token.

    Raises:
        NotSignedIn, TokenExpired: no good token.
        NotAllowed: somebody else's than a customer's.
    """
    caller = tokens.read_token(call.bearer, at)
    if caller.kind is not CallerKind.CUSTOMER or caller.id is None or caller.brand_id is None:
        raise NotAllowed
    return caller.id, caller.brand_id


def staff_of(call: Call, *, at: datetime) -> UUID:
    """
    The user behind the call's token; what she may do is looked up with the act.

    Raises:
        NotSignedIn, TokenExpired: no good token.
        NotAllowed: somebody else's than a staff member's.
    """
    caller = tokens.read_token(call.bearer, at)
    if caller.kind is not CallerKind.STAFF or caller.id is None:
        raise NotAllowed
    return caller.id
