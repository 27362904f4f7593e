"""Who calls the lane: tokens only, read without the database."""

import asyncio
from datetime import datetime
from uuid import UUID

from django.db import connection

from config.accounts import tokens
from config.accounts.caller import Caller, CallerKind
from config.kernel.errors import NotAllowed
from livestream.lane.http import Call
from stores.api.authentication import known_keys
from stores.services import api_clients


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


async def counter_of(call: Call, *, at: datetime) -> tuple[Caller, UUID]:
    """
    Who stands at a counter, with her id or the program's; what she may do is looked up with the act.

    A program's key is asked for in a thread where it has not been for 30 seconds.

    Raises:
        NotSignedIn, TokenExpired: no good token or key.
        NotAllowed: somebody else's than a person's at a counter or a program's.
    """
    credentials = call.bearer
    if credentials.startswith(f"{api_clients.PREFIX}_"):
        is_known = known_keys.remembers(credentials, at)
        caller = known_keys.caller_of(credentials, at) if is_known else await asyncio.to_thread(_asked, credentials, at)
    else:
        caller = tokens.read_token(credentials, at)
    if caller.kind not in (CallerKind.STAFF, CallerKind.COUNTER, CallerKind.API_CLIENT) or caller.id is None:
        raise NotAllowed
    return caller, caller.id


def _asked(key: str, at: datetime) -> Caller:
    try:
        return known_keys.caller_of(key, at)
    finally:
        connection.close()  # this thread is asked twice a minute, and would keep it for good
