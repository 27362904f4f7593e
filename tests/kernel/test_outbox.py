"""The outbox and the trail: written with the change, or not at all."""

import pytest
from django.db import IntegrityError, transaction

from config.kernel import audit, outbox
from config.kernel.models import AuditEntry, OutboxMessage
from tests import factories
from tests.factories import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_batch_is_one_row_however_many_items() -> None:
    brand = factories.brand()
    with transaction.atomic():
        outbox.announce(
            brand_id=brand.id, topic="vouchers.issued", items=[{"voucher": str(n)} for n in range(500)], at=NOW
        )

    message = OutboxMessage.objects.get()
    assert (message.item_count, len(message.items), message.dispatched_at) == (500, 500, None)


def test_a_change_that_fails_announces_nothing_and_leaves_no_trail() -> None:
    brand = factories.brand()

    def fails() -> None:
        with transaction.atomic():
            outbox.announce(brand_id=brand.id, topic="vouchers.issued", items=[{}], at=NOW)
            audit.record(act="a", actor_kind="machine", actor_id=None, subject_kind="s", at=NOW)
            raise LookupError

    with pytest.raises(LookupError):
        fails()
    assert not OutboxMessage.objects.exists()
    assert not AuditEntry.objects.exists()


def test_outside_a_transaction_both_refuse() -> None:
    brand = factories.brand()

    with pytest.raises(AssertionError, match="commits with what it tells"):
        outbox.announce(brand_id=brand.id, topic="vouchers.issued", items=[{}], at=NOW)
    with pytest.raises(AssertionError, match="commits with the act"):
        audit.record(act="a", actor_kind="machine", actor_id=None, subject_kind="s", at=NOW)


def test_an_audit_entry_cannot_be_rewritten_or_removed() -> None:
    with transaction.atomic():
        entry = audit.record(act="a", actor_kind="machine", actor_id=None, subject_kind="s", at=NOW)

    with pytest.raises(IntegrityError, match="written once"):
        AuditEntry.objects.filter(id=entry.id).update(act="b")
    with pytest.raises(IntegrityError, match="written once"):
        AuditEntry.objects.filter(id=entry.id).delete()
