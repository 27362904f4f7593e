"""How customers come in by themselves: codes sent to phones, and the sessions they open."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from config.kernel.ids import PublicIdModel
from stores.models.people import Customer
from stores.models.places import Brand

MOST_WRONG_TRIES = 5


class PhoneCode(PublicIdModel):
    """
    A code sent to a phone for one brand's shop; good once, until ``expires_at`` or its fifth wrong try.

    The phone is kept as a keyed hash alone: whoever brings the code brings the number again. Rows go after a day.
    """

    PREFIX: ClassVar[str] = "pcd"

    brand = models.ForeignKey(Brand, models.PROTECT, db_index=False, related_name="+")
    phone_hash = models.BinaryField(max_length=32)
    code_hash = models.BinaryField(max_length=32)
    sent_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    wrong_tries = models.PositiveSmallIntegerField(default=0)
    used_at = models.DateTimeField(null=True, blank=True)
    used_request_id = models.UUIDField(null=True, blank=True)
    customer = models.ForeignKey(Customer, models.PROTECT, null=True, blank=True, db_index=False, related_name="+")

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("sent_at")), name="phone_code_is_good_for_a_while"),
            models.CheckConstraint(
                condition=Q(wrong_tries__lte=MOST_WRONG_TRIES), name="phone_code_bears_five_wrong_tries"
            ),
            models.CheckConstraint(
                condition=Q(used_at__isnull=True, used_request_id__isnull=True, customer__isnull=True)
                | Q(used_at__isnull=False, used_request_id__isnull=False, customer__isnull=False),
                name="used_phone_code_signed_somebody_in",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["phone_hash", "sent_at"], name="phone_code_by_phone"),
            models.Index(fields=["sent_at"], name="phone_code_to_forget"),
        ]


class CustomerSession(PublicIdModel):
    """A browser in which a customer is signed in. ``key_hash`` is SHA-256 of the key in its cookie."""

    PREFIX: ClassVar[str] = "css"

    customer = models.ForeignKey(Customer, models.PROTECT, related_name="sessions")
    key_hash = models.BinaryField(max_length=32, unique=True)
    began_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(expires_at__gt=F("began_at")), name="session_lasts_a_while"),
        ]
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="customer_session_to_forget")]
