"""A brand and somebody of it who may sell."""

from uuid import UUID

import pytest

from config.kernel.caller import Caller, CallerKind
from config.kernel.ids import new_id
from config.kernel.models import AuditEntry
from stores.models import Brand
from tests import factories

OPERATOR = Caller(kind=CallerKind.STAFF, id=new_id())


@pytest.fixture
def brand() -> Brand:
    return factories.brand()


def acts(subject_id: UUID) -> list[str]:
    """The trail of one row, oldest first."""
    return list(AuditEntry.objects.filter(subject_id=subject_id).order_by("id").values_list("act", flat=True))
