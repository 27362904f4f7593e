"""Who holds a voucher."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from config.kernel.ids import public
from vouchers.models import Hold, RedemptionRequest


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds uses of a voucher, since when and until when; without ``expires_at`` until it ends by itself."""

    source_kind: str
    source_id: UUID
    held_at: datetime
    expires_at: datetime | None


def holder_of(voucher_id: UUID) -> Holder | None:
    """Who holds uses of the voucher now; one source at most does."""
    held = Hold.objects.filter(voucher_id=voucher_id, ended_at__isnull=True)
    row = held.values_list("source_kind", "source_id", "created_at", "expires_at").first()
    return Holder(*row) if row else None


def held_by(holder: Holder | None) -> dict[str, Any]:
    """Who holds a voucher, as a refusal tells it; a redemption that a platform has not decided can be asked for."""
    if holder is None:
        return {}
    told: dict[str, Any] = {
        "held_by": holder.source_kind,
        "held_at": holder.held_at.isoformat(),
        "held_until": holder.expires_at.isoformat() if holder.expires_at else None,
    }
    if holder.source_kind == Hold.Source.REDEMPTION_REQUEST:
        told["request"] = public(RedemptionRequest.PREFIX, holder.source_id)
    return told
