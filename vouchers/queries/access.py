"""The voucher a person or a program of its brand may act on: permission is part of the look-up."""

from datetime import datetime

from config.kernel.caller import Caller
from config.kernel.ids import parse
from stores.permissions import Permission
from stores.queries import require_permission
from vouchers.errors import VoucherNotFound
from vouchers.models import Voucher


def voucher_for_caller(caller: Caller, public_id: str, *, permission: Permission, at: datetime) -> Voucher:
    """
    One voucher, for whoever may do with it what ``permission`` names.

    Raises:
        MalformedId: not a voucher's id.
        VoucherNotFound: there is none, or it is another brand's.
        NotAllowed: the caller reaches the brand, and may not.
    """
    found = Voucher.objects.filter(pk=parse(Voucher.PREFIX, public_id)).first()
    if found is None:
        raise VoucherNotFound
    require_permission(caller, permission, brand_id=found.brand_id, at=at, missing=VoucherNotFound)
    return found
