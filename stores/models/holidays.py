"""Public holidays, as the brand follows them."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from config.kernel.ids import PublicIdModel
from stores.models.places import Brand


class HolidayCalendar(PublicIdModel):
    """
    One numbered version of a year: its holidays, and the days off that are worked to make up for them.

    Written once. Vouchers are sold under a version, so a mistake is mended by the next one, which may
    only add usable days to what was sold before (``vouchers.verdict.calendar``).
    ``holidays`` is ``[{"date": "2026-10-01", "name": "国庆节"}]``, in order.
    """

    PREFIX: ClassVar[str] = "cal"

    brand = models.ForeignKey(Brand, models.PROTECT, related_name="holiday_calendars")
    year = models.PositiveSmallIntegerField()
    number = models.PositiveIntegerField()
    holidays = models.JSONField()
    workdays = ArrayField(models.DateField(), default=list, blank=True)
    published_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["brand", "year", "number"], name="calendar_is_numbered_in_its_year"),
            models.CheckConstraint(condition=Q(number__gte=1), name="calendar_numbers_begin_at_one"),
            models.CheckConstraint(condition=Q(year__range=(2000, 2199)), name="calendar_year_is_of_our_time"),
        ]
