"""Vouchers that another platform sold, taken into the same wallet and counter when somebody shows or tells of one."""

import logging
from collections.abc import Sequence
from datetime import datetime
from uuid import NAMESPACE_OID, UUID, uuid5

from django.db import connection, transaction

from stores.models import Brand
from stores.services import customers
from vouchers import errors
from vouchers.issuers import registry
from vouchers.issuers.interface import Certificate, IssuerSilent
from vouchers.models import IssuerAccount, IssuerDeal, IssuerStore, IssuerVoucher, Voucher
from vouchers.services import endings, returns, voucher_locks

log = logging.getLogger(__name__)

CODE_LENGTH = 24


def look_up(
    *, brand_id: UUID, store_id: UUID, text: str, at: datetime, silent: set[str] | None = None
) -> list[Voucher]:
    """
    The vouchers that a typed code or a scanned text names at the brand's platforms, taken in as they are now.

    Network, so never inside a transaction; each platform is asked until one knows the text. Safe to
    repeat and to race: a certificate is one voucher however often it is shown. Those in ``silent`` are not waited
    for; whoever proves silent joins them, so that several texts of one request cost its silence once.

    Raises:
        IssuerDoesNotAnswer: a platform was silent and no other knew it.
        IssuerProductUnknown: it is of a product that no deal is connected to.
    """
    names = dict(IssuerStore.objects.filter(store_id=store_id).values_list("issuer", "external_id"))
    silent = set() if silent is None else silent
    for account in IssuerAccount.objects.filter(brand_id=brand_id, ended_at__isnull=True).order_by("issuer"):
        if account.issuer not in registry.KNOWN or account.issuer not in names or account.issuer in silent:
            continue
        assert not connection.in_atomic_block, "no network inside a transaction"
        try:
            found = registry.by_name(account.issuer).certificates(
                text, account_external_id=account.external_id, store_external_id=names[account.issuer]
            )
        except IssuerSilent as silence:
            log.warning("%s did not say whose a code is: %s", account.issuer, silence)
            silent.add(account.issuer)
            continue
        if found:
            return take_in(brand_id=brand_id, issuer=account.issuer, certificates=found, at=at)
    if silent:
        raise errors.IssuerDoesNotAnswer(issuer=min(silent))
    return []


def take_in(*, brand_id: UUID, issuer: str, certificates: Sequence[Certificate], at: datetime) -> list[Voucher]:
    """
    Make or refresh a voucher for each certificate; in their order.

    What is there keeps its prices. It learns of a longer validity, and that the platform gave its money
    back: then its free uses end as refunded, unless a redemption that is not decided holds them.

    Raises:
        IssuerProductUnknown: a product that no deal is connected to; nothing is taken in.
    """
    with transaction.atomic(durable=True):
        deals = dict(
            IssuerDeal.objects.filter(
                brand_id=brand_id, issuer=issuer, external_id__in={one.product_external_id for one in certificates}
            ).values_list("external_id", "terms_id")
        )
        for one in certificates:
            if one.product_external_id not in deals:
                raise errors.IssuerProductUnknown(issuer=issuer, product=one.product_external_id)
        made = {
            one.external_id: _make(brand_id, issuer, one, terms_id=deals[one.product_external_id], at=at)
            for one in sorted(certificates, key=lambda one: one.external_id)
        }
        locked = {voucher.id: voucher for voucher in voucher_locks.lock(list(made.values()))}
        for one in certificates:
            _refresh(locked[made[one.external_id]], one, at=at)
        return [locked[made[one.external_id]] for one in certificates]


def known(*, brand_id: UUID, texts: Sequence[str]) -> list[Voucher]:
    """The brand's vouchers of other issuers that carry one of these codes or go by one of these names there."""
    others = Voucher.objects.filter(brand_id=brand_id, source_kind=Voucher.Source.PLATFORM)
    issuers = IssuerAccount.objects.filter(brand_id=brand_id).values_list("issuer", flat=True)
    return list(others.filter(issuer__in=list(issuers), code__in=list(texts)))


def _make(brand_id: UUID, issuer: str, one: Certificate, *, terms_id: UUID, at: datetime) -> UUID:
    assert one.prices, "a certificate has a use"
    source_id = uuid5(NAMESPACE_OID, f"{Brand.PREFIX}_{brand_id.hex}:{issuer}:{one.external_id}")
    source = {"source_kind": Voucher.Source.PLATFORM, "source_id": source_id, "ordinal": 1}
    if voucher_id := Voucher.objects.filter(**source).values_list("id", flat=True).first():
        return voucher_id
    # Nobody's name: whoever bought this order, until the platform says who she is.
    buyer = one.buyer_external_id or f"order:{one.order_external_id or one.external_id}"
    customer = customers.upsert(brand_id=brand_id, provider=issuer, external_id=buyer, at=at).row
    amounts = [price.customer_fen + price.platform_fen for price in one.prices]
    voucher = Voucher(
        brand_id=brand_id,
        customer=customer,
        terms_id=terms_id,
        issuer=issuer,
        external_id=one.external_id,
        **source,
        code=_code(one, source_id),
        uses_total=len(amounts),
        uses_left=len(amounts),
        use_amounts_fen=amounts,
        paid_fen=sum(amounts),
        valid_from=one.valid_from,
        valid_until=one.valid_until,
        issued_at=at,
    )
    # Two clerks may scan it at once: the second waits for the first one's row and reads it.
    Voucher.objects.bulk_create([voucher], ignore_conflicts=True)
    voucher_id = Voucher.objects.values_list("id", flat=True).get(**source)
    if voucher_id == voucher.id:
        IssuerVoucher.objects.create(
            voucher_id=voucher_id,
            order_external_id=one.order_external_id,
            customer_fen=[price.customer_fen for price in one.prices],
            platform_fen=[price.platform_fen for price in one.prices],
            merchant_fen=[price.merchant_fen for price in one.prices],
            imported_at=at,
        )
    return voucher_id


def _code(one: Certificate, source_id: UUID) -> str:
    """What a clerk types; where the platform does not say it, a name that nobody types."""
    return next(
        (text for text in (one.code, one.external_id) if 0 < len(text) <= CODE_LENGTH), source_id.hex[:CODE_LENGTH]
    )


def _refresh(voucher: Voucher, one: Certificate, *, at: datetime) -> None:
    if one.valid_until > voucher.valid_until and voucher.status in (Voucher.Status.ISSUED, Voucher.Status.HELD):
        voucher.valid_until = one.valid_until
        Voucher.objects.filter(pk=voucher.pk).update(valid_until=one.valid_until)
    if one.is_refunded and voucher.status == Voucher.Status.ISSUED:
        endings.refund_free_uses(voucher, at=at)
        returns.finish_refund(voucher_ids=[voucher.pk], at=at)
        voucher.refresh_from_db()
