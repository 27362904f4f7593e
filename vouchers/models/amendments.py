"""What a brand gave on top after it had published: amendments, and how far a process's memory has to follow."""

from typing import ClassVar

from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel
from vouchers.models.deals import DealTerms


class Amendment(PublicIdModel):
    """
    One numbered change of published terms, only ever in the customer's favour; it counts for sold vouchers too.

    ``changes`` holds fields of ``DealTerms``, each as it is from ``published_at`` on, and ``substitutes``
    (product → those that may stand in for it). Written once; the terms' own row never changes.
    """

    PREFIX: ClassVar[str] = "amd"

    terms = models.ForeignKey(DealTerms, models.PROTECT, related_name="amendments", db_index=False)
    number = models.PositiveIntegerField()
    changes = models.JSONField()
    reason = models.CharField(max_length=256)
    request_id = models.UUIDField()
    content_hash = models.BinaryField(max_length=16)
    published_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["terms", "number"], name="amendments_are_numbered_in_their_terms"),
            models.UniqueConstraint(fields=["terms", "request_id"], name="amendment_is_published_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="amendment_numbers_begin_at_one"),
        ]


class TermsRevision(models.Model):
    """
    That published terms say more than their row: ``number`` moves with every amendment and with every holiday
    calendar they heed. Every redemption reads it, so each process knows at once when to read them again.

    ``extensions`` is how many amendments made vouchers last longer; a voucher counts those it has.
    """

    terms = models.OneToOneField(DealTerms, models.PROTECT, primary_key=True, related_name="revision")
    number = models.PositiveIntegerField()
    extensions = models.PositiveSmallIntegerField(default=0)
