"""What an act that may be repeated gives back."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model

M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class Made(Generic[M]):
    """``is_new`` says whether this call made ``row``; a repeat finds it as it is now."""

    row: M
    is_new: bool
