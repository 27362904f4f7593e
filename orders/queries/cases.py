"""Reads of after-sale cases."""

from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet

from config.kernel.caller import Caller
from config.kernel.ids import parse
from orders.errors import CaseNotFound
from orders.models import AfterSaleCase
from stores.permissions import Permission
from stores.queries import require_permission


def cases_of_brand(brand_id: UUID, *, status: str | None = None) -> QuerySet[AfterSaleCase]:
    """A brand's cases; those AWAITING_APPROVAL are somebody's work."""
    found = AfterSaleCase.objects.filter(brand_id=brand_id)
    return found.filter(status=status) if status else found


def case_for_caller(caller: Caller, public_id: str, *, permission: Permission, at: datetime) -> AfterSaleCase:
    """
    One case, for whoever may do with it what ``permission`` names.

    Raises:
        MalformedId: not a case's id.
        CaseNotFound: there is none, or it is another brand's.
        NotAllowed: the caller reaches the brand, and may not.
    """
    found = AfterSaleCase.objects.filter(pk=parse(AfterSaleCase.PREFIX, public_id)).first()
    if found is None:
        raise CaseNotFound
    require_permission(caller, permission, brand_id=found.brand_id, at=at, missing=CaseNotFound)
    return found
