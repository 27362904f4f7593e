"""Where an entity is paid: sealed at rest, four digits on the screen, the whole number only in the bank's file."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.kernel.caller import Caller
from config.kernel.ids import new_id
from config.kernel.personal_data import seal, unseal
from orders.errors import BankNumberUnreadable
from orders.models import BankAccount
from stores.errors import EntityNotFound
from stores.models import SettlementEntity
from stores.services import trail

PURPOSE = "bank account"
DIGITS = range(8, 31)


def keep(
    *, brand_id: UUID, entity_id: UUID, holder: str, bank: str, number: str, by: Caller, at: datetime
) -> BankAccount:
    """
    From now on the entity is paid there; payouts under way go where they were sent. The same again changes nothing.

    Raises:
        EntityNotFound: not in this brand.
        BankNumberUnreadable: not 8 to 30 digits; blanks between them are left out.
    """
    digits = "".join(number.split())
    if not (digits.isascii() and digits.isdigit() and len(digits) in DIGITS):
        raise BankNumberUnreadable(param="number")
    with transaction.atomic(durable=True):
        entity = SettlementEntity.objects.select_for_update(no_key=True).filter(id=entity_id, brand_id=brand_id).first()
        if entity is None:
            raise EntityNotFound
        before = current(entity_id)
        if before and (before.holder, before.bank, number_of(before)) == (holder, bank, digits):
            return before
        if before:
            before.replaced_at = at
            before.save(update_fields=["replaced_at"])
        key = new_id()
        account = BankAccount.objects.create(
            id=key,
            entity=entity,
            holder=holder,
            bank=bank,
            number_encrypted=seal(digits, purpose=PURPOSE, bound_to=key.bytes),
            last_four=digits[-4:],
            set_by_id=by.id,
            set_at=at,
        )
        details = {"entity": entity.public_id, "bank": bank, "last_four": account.last_four}
        trail.leave("bank_account.kept", account, brand_id=brand_id, by=by, at=at, details=details)
        return account


def current(entity_id: UUID) -> BankAccount | None:
    return BankAccount.objects.filter(entity_id=entity_id, replaced_at__isnull=True).first()


def number_of(account: BankAccount) -> str:
    """The whole number, for the bank's file."""
    return unseal(account.number_encrypted, purpose=PURPOSE, bound_to=account.id.bytes)
