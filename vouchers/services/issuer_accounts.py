"""How a brand is connected to a platform: its account, its stores' names there, the terms of its products."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.kernel import audit
from config.kernel.caller import Caller
from stores.models import Brand, Store
from vouchers import errors
from vouchers.issuers import registry
from vouchers.models import DealTerms, IssuerAccount, IssuerDeal, IssuerStore


def connect(*, brand_id: UUID, issuer: str, external_id: str, by: Caller, at: datetime) -> IssuerAccount:
    """
    The brand's account at a platform; another one ends the one before. The same again changes nothing.

    Raises:
        IssuerNotThere: no platform has that name.
    """
    _require(issuer)
    with transaction.atomic(durable=True):
        # Two at once follow each other on the brand's row.
        Brand.objects.select_for_update(no_key=True).get(pk=brand_id)
        live = IssuerAccount.objects.filter(brand_id=brand_id, issuer=issuer, ended_at__isnull=True)
        if same := live.filter(external_id=external_id).first():
            return same
        live.update(ended_at=at)
        account = IssuerAccount.objects.create(brand_id=brand_id, issuer=issuer, external_id=external_id, created_at=at)
        _leave("issuer.connect", brand_id, by, at, issuer=issuer, account=external_id)
        return account


def disconnect(*, brand_id: UUID, issuer: str, by: Caller, at: datetime) -> None:
    """
    Ask the platform about no more codes; what it sold stays, and calls that it has not decided are still asked about.

    Raises:
        IssuerNotThere: the brand has no account there.
    """
    with transaction.atomic(durable=True):
        ended = IssuerAccount.objects.filter(brand_id=brand_id, issuer=issuer, ended_at__isnull=True).update(
            ended_at=at
        )
        if not ended:
            raise errors.IssuerNotThere(issuer=issuer)
        _leave("issuer.disconnect", brand_id, by, at, issuer=issuer)


def name_store(*, store: Store, issuer: str, external_id: str, by: Caller, at: datetime) -> IssuerStore:
    """
    The name a store goes by at a platform, from now on. The same again changes nothing.

    Raises:
        IssuerNotThere: no platform has that name.
        IssuerNameTaken: another store goes by it there.
    """
    _require(issuer)
    with transaction.atomic(durable=True):
        Store.objects.select_for_update(no_key=True).get(pk=store.pk)
        named = IssuerStore.objects.filter(store=store, issuer=issuer).first()
        if named is not None and named.external_id == external_id:
            return named
        named = named or IssuerStore(store=store, issuer=issuer)
        named.external_id = external_id
        if named.pk is None:
            IssuerStore.objects.bulk_create([named], ignore_conflicts=True)
        elif not IssuerStore.objects.filter(issuer=issuer, external_id=external_id).exists():
            named.save(update_fields=["external_id"])
        kept = IssuerStore.objects.filter(store=store, issuer=issuer, external_id=external_id).first()
        if kept is None:
            raise errors.IssuerNameTaken(issuer=issuer, external_id=external_id)
        _leave("issuer.name_store", store.brand_id, by, at, issuer=issuer, store=store.public_id, name=external_id)
        return kept


def honour(*, terms: DealTerms, issuer: str, product: str, by: Caller, at: datetime) -> IssuerDeal:
    """
    The terms that a platform's product is honoured by, for vouchers taken in from now on.

    Raises:
        IssuerNotThere: no platform has that name.
    """
    _require(issuer)
    brand_id = terms.deal.brand_id
    with transaction.atomic(durable=True):
        Brand.objects.select_for_update(no_key=True).get(pk=brand_id)
        deal = IssuerDeal.objects.filter(brand_id=brand_id, issuer=issuer, external_id=product).first()
        if deal is not None and deal.terms_id == terms.id:
            return deal
        if deal is None:
            deal = IssuerDeal(brand_id=brand_id, issuer=issuer, external_id=product, created_at=at)
        deal.terms = terms
        deal.save()
        _leave("issuer.honour", brand_id, by, at, issuer=issuer, product=product, terms=terms.public_id)
        return deal


def _require(issuer: str) -> None:
    if issuer not in registry.NAMES and issuer not in registry.KNOWN:
        raise errors.IssuerNotThere(issuer=issuer)


def _leave(act: str, brand_id: UUID, by: Caller, at: datetime, **details: str) -> None:
    audit.record(
        act=act,
        actor_kind=by.kind,
        actor_id=by.id,
        brand_id=brand_id,
        subject_kind="brand",
        subject_id=brand_id,
        details=details,
        at=at,
    )
