"""Terms that nobody can keep any more: not sold from now on, and given back by the app above, batch by batch."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from django.db import connection

from config.kernel.caller import Caller
from config.kernel.ids import public
from stores.models import Store
from stores.services import trail
from vouchers.models import DealTerms, Recall
from vouchers.queries import open_vouchers
from vouchers.services import offers


def begin(
    *, terms: Collection[DealTerms], brand_id: UUID, cause: Recall.Cause, subject_id: UUID, by: Caller, at: datetime
) -> list[Recall]:
    """
    From now on nothing is sold under these terms, and what is open on them is given back, whatever they say.

    Runs inside the caller's transaction, under the brand's lock. Terms that are recalled already stay so.
    """
    assert connection.in_atomic_block, "a recall commits with its cause"
    known = set(Recall.objects.filter(terms__in=[one.id for one in terms]).values_list("terms_id", flat=True))
    begun = Recall.objects.bulk_create(
        Recall(brand_id=brand_id, terms=one, cause=cause, subject_id=subject_id, begun_at=at)
        for one in terms
        if one.id not in known
    )
    if begun:
        recalled = {recall.terms_id for recall in begun}
        offers.close_all_of(terms_ids=recalled | _bundles_with(brand_id, recalled), by=by, at=at)
        for recall in begun:
            told = {"terms": public(DealTerms.PREFIX, recall.terms_id), "cause": cause.value}
            trail.leave("recall.begun", recall, brand_id=brand_id, by=by, at=at, details=told)
    return begun


def begin_for_closed_store(*, store: Store, by: Caller, at: datetime) -> list[Recall]:
    """
    Recall the terms that only this store still honoured.

    Runs inside the transaction that closes it, under the brand's lock: of the last two stores of some terms,
    whichever closes later recalls them.
    """
    return begin(
        terms=[one.terms for one in open_vouchers.only_at(store)],
        brand_id=store.brand_id,
        cause=Recall.Cause.STORE_CLOSED,
        subject_id=store.id,
        by=by,
        at=at,
    )


def _bundles_with(brand_id: UUID, recalled: Collection[UUID]) -> set[UUID]:
    """Bundles that would go on issuing vouchers of these terms."""
    named = {public(DealTerms.PREFIX, terms_id) for terms_id in recalled}
    bundles = DealTerms.objects.filter(deal__brand_id=brand_id).exclude(bundle_children=[])
    return {
        terms_id
        for terms_id, children in bundles.values_list("id", "bundle_children")
        if named & {child.get("terms") for child in children}
    }
