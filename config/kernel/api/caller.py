"""Who is calling, of the kind the operation is for; what exactly she may touch is part of each look-up."""

from uuid import UUID

from rest_framework.request import Request

from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import NotAllowed, NotSignedIn


def caller(request: Request) -> Caller:
    """
    Anybody with valid credentials.

    Raises:
        NotSignedIn: none came, or none that this site knows.
    """
    if not isinstance(request.user, Caller):
        raise NotSignedIn
    return request.user


def staff_caller(request: Request) -> Caller:
    """
    A signed-in person who works with Hexiao.

    Raises:
        NotSignedIn: no credentials.
        NotAllowed: credentials of a customer or a program.
    """
    return _of_kind(request, CallerKind.STAFF)


def customer_caller(request: Request) -> Caller:
    """
    A customer of one brand.

    Raises:
        NotSignedIn: no credentials.
        NotAllowed: credentials of staff or a program.
    """
    return _of_kind(request, CallerKind.CUSTOMER)


def counter_caller(request: Request) -> Caller:
    """
    Somebody who may stand at a counter: a person, a person switched to on a device, or a till's program.

    Raises:
        NotSignedIn: no credentials.
        NotAllowed: credentials of a customer, or of a device at which nobody stands.
    """
    found = caller(request)
    if found.kind not in (CallerKind.STAFF, CallerKind.COUNTER, CallerKind.API_CLIENT):
        raise NotAllowed
    return found


def device_caller(request: Request) -> Caller:
    """
    A device bound to a store.

    Raises:
        NotSignedIn: no credentials.
        NotAllowed: credentials of a person or a program.
    """
    return _of_kind(request, CallerKind.DEVICE)


def api_client_caller(request: Request, scope: str) -> Caller:
    """
    A brand's program whose key carries ``scope``.

    Raises:
        NotSignedIn: no credentials.
        NotAllowed: credentials of a person, or of a program without the scope.
    """
    program = _of_kind(request, CallerKind.API_CLIENT)
    if scope not in program.scopes:
        raise NotAllowed
    return program


def caller_id(caller: Caller) -> UUID:
    """The id of a caller who has one: everybody but a machine."""
    assert caller.id is not None, "machines do not call over HTTP"
    return caller.id


def _of_kind(request: Request, kind: CallerKind) -> Caller:
    found = caller(request)
    if found.kind is not kind:
        raise NotAllowed
    return found
