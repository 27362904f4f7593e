"""Links that let a new colleague in."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models.people import Staff
from stores.models.places import Brand, Store


class Invitation(PublicIdModel):
    """
    Makes whoever brings its token first a clerk or manager of one store.

    ``token_hash`` is SHA-256 of the token, which is shown once. It is open until accepted, withdrawn or expired.
    """

    PREFIX: ClassVar[str] = "inv"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="+")
    store = models.ForeignKey(Store, models.PROTECT, related_name="invitations")
    role = models.CharField(max_length=24, choices=Staff.Role)
    token_hash = models.BinaryField(max_length=32, unique=True)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_request_id = models.UUIDField(null=True, blank=True)
    staff = models.OneToOneField(Staff, models.PROTECT, null=True, blank=True, related_name="invitation")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(role__in=["store_manager", "clerk"]), name="invitation_is_to_a_store"),
            models.CheckConstraint(condition=Q(expires_at__gt=F("created_at")), name="invitation_is_open_for_a_while"),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True, accepted_request_id__isnull=True, staff__isnull=True)
                | Q(accepted_at__isnull=False, accepted_request_id__isnull=False, staff__isnull=False),
                name="accepted_invitation_made_its_staff",
            ),
            models.CheckConstraint(
                condition=Q(accepted_at__isnull=True) | Q(withdrawn_at__isnull=True),
                name="withdrawn_invitation_is_not_accepted",
            ),
        ]
