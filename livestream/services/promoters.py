"""达人: who may be named on a link."""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from config.kernel.caller import Caller
from livestream.errors import PromoterCodeTaken
from livestream.models import Promoter
from stores.services import trail
from stores.services.made import Made


def create(*, brand_id: UUID, code: str, name: str, by: Caller, at: datetime) -> Made[Promoter]:
    """
    A promoter whose links carry ``code``. The same again is the same promoter.

    Raises:
        PromoterCodeTaken: the code is, or was, another's: sales under it stay hers.
    """
    with transaction.atomic(durable=True):
        promoter = Promoter(brand_id=brand_id, code=code, name=name, created_at=at)
        try:
            with transaction.atomic():
                promoter.save(force_insert=True)
        except IntegrityError:
            found = Promoter.objects.get(brand_id=brand_id, code=code)
            if found.name != name:
                raise PromoterCodeTaken(param="code") from None
            return Made(found, is_new=False)
        trail.leave("promoter.created", promoter, brand_id=brand_id, by=by, at=at, details={"code": code})
        return Made(promoter, is_new=True)


def end(*, promoter: Promoter, by: Caller, at: datetime) -> Promoter:
    """From now on her links count for nobody; what was sold through them stays hers. Repeating changes nothing."""
    with transaction.atomic(durable=True):
        promoter = Promoter.objects.select_for_update(no_key=True).get(pk=promoter.pk)
        if promoter.ended_at is None:
            promoter.ended_at = at
            promoter.save(update_fields=["ended_at"])
            trail.leave("promoter.ended", promoter, brand_id=promoter.brand_id, by=by, at=at, details={})
        return promoter
