"""What a clerk sees before she redeems."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from config.kernel.errors import DomainError
from config.kernel.pipeline import pipelined
from stores.permissions import Role
from stores.queries import ClerkStore
from stores.queries.substitutes import OnShelf, Substitute, offered, shelves
from vouchers import errors, qr
from vouchers.codes import is_well_formed, normalise
from vouchers.models import Redemption, Voucher
from vouchers.queries.facts import Story, facts_of, send_facts
from vouchers.queries.plannable import certain_products
from vouchers.queries.refusals import explained, with_nearest
from vouchers.verdict import Terms, refusal_of

MOST_SHOWN = 100


@dataclass(frozen=True, slots=True)
class RunOut:
    """A product of a package that the store has too little of, and what it offers instead."""

    product: OnShelf
    instead: tuple[Substitute, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    One voucher at this store, now: ``refusal`` is None where it is usable, ``run_out`` what of it is not there.

    ``code`` is as it was typed where no voucher carries it. A voucher that only lacks the bill is usable.
    """

    code: str
    voucher: Voucher | None
    terms: Terms | None
    refusal: DomainError | None
    pays_difference: bool = False
    run_out: tuple[RunOut, ...] = ()


def prepare(*, store: ClerkStore, codes: Sequence[str], bill_fen: int | None, at: datetime) -> list[Prepared]:
    """What each code would be answered, each by itself; reads only, and locks nothing."""
    typed = list(dict.fromkeys(normalise(code) for code in codes))
    known = [code for code in typed if is_well_formed(code)]
    found = {voucher.code: voucher for voucher in _own(store).filter(code__in=known)}
    return judged([(code, found.get(code)) for code in typed], store=store, bill_fen=bill_fen, at=at)


def prepare_qr(*, store: ClerkStore, text: str, bill_fen: int | None, at: datetime) -> list[Prepared]:
    """
    The voucher that a customer's QR names, then the others of the same purchase, as platforms list them.

    Nothing else of hers is shown: she showed this one.

    Raises:
        QrExpired, QrNotOurs: about ``text``.
        VoucherNotFound: it names a voucher that is not there.
    """
    code = qr.code_of(text, brand_id=store.brand_id, at=at)
    named = _own(store).filter(code=code).first()
    if named is None:
        raise errors.VoucherNotFound(param="qr")
    bought_together = (
        _own(store)
        # A grant's batch is the source of thousands of people's vouchers.
        .filter(source_kind=named.source_kind, source_id=named.source_id, customer_id=named.customer_id)
        .exclude(pk=named.pk)
        .order_by("ordinal")[: MOST_SHOWN - 1]
    )
    shown = [(voucher.code, voucher) for voucher in (named, *bought_together)]
    return judged(shown, store=store, bill_fen=bill_fen, at=at)


def redemptions_of_store(store: ClerkStore) -> QuerySet[Redemption]:
    """
    What was redeemed at a store, with what a list of it shows: everything, or for a franchisee what was hers.

    A store that changed hands has days that are another's money.
    """
    rows = Redemption.objects.filter(store_id=store.store_id).select_related("voucher", "request__operator")
    return rows.filter(entity_id=store.entity_id) if store.roles == {Role.FRANCHISEE} else rows


def _own(store: ClerkStore) -> QuerySet[Voucher]:
    return Voucher.objects.filter(brand_id=store.brand_id, issuer=Voucher.OWN)


def judged(
    shown: Sequence[tuple[str, Voucher | None]],
    *,
    store: ClerkStore,
    bill_fen: int | None,
    at: datetime,
    issuer: str = Voucher.OWN,
) -> list[Prepared]:
    """Each of these codes of one issuer with its verdict."""
    known = [voucher for _, voucher in shown if voucher]
    with transaction.atomic(), pipelined() as send:
        asked = send_facts(send, keys=(), codes=[(store.store_id, voucher.code) for voucher in known], issuer=issuer)
    facts = facts_of(asked, terms_ids={voucher.terms_id for voucher in known})
    prepared: list[Prepared] = []
    wrong: list[tuple[DomainError, Terms]] = []
    for position, (code, voucher) in enumerate(shown):
        of_voucher = facts.terms[voucher.terms_id] if voucher else None
        story = facts.stories.get(voucher.id, Story()) if voucher else Story()
        why = refusal_of(voucher, of_voucher, store=store, bill_fen=bill_fen, at=at)
        refusal = None
        if why is not None and why is not errors.BillAmountRequired:
            refusal = explained(
                why,
                code=code,
                position=position,
                voucher=voucher,
                terms=of_voucher,
                story=story,
                store=store,
                bill_fen=bill_fen,
                at=at,
            )
        if why is errors.WrongStore and refusal is not None and of_voucher is not None:
            wrong.append((refusal, of_voucher))
        more = of_voucher is not None and store.is_dearer and of_voucher.asks_the_difference
        prepared.append(Prepared(code, voucher, of_voucher, refusal, pays_difference=more))
    with_nearest(wrong, latitude=store.latitude, longitude=store.longitude, at=at)
    return _with_run_out(prepared, store)


def _with_run_out(prepared: list[Prepared], store: ClerkStore) -> list[Prepared]:
    """With what of each usable package has run out; one statement where there is a package, one for what has."""
    wanted = [certain_products(one.terms) if one.terms and one.refusal is None else {} for one in prepared]
    if not any(wanted):
        return prepared
    here, today = store.store_id, store.business_date
    found = shelves(store_id=here, today=today, product_ids={product for counts in wanted for product in counts})
    offers: dict[UUID, tuple[Substitute, ...]] = {}
    shown = []
    for one, counts in zip(prepared, wanted, strict=True):
        missing = [found[product] for product, count in counts.items() if not found[product].has(count)]
        for product in missing:
            if product.product_id not in offers:
                offers[product.product_id] = tuple(offered(store_id=here, today=today, product_id=product.product_id))
        shown.append(replace(one, run_out=tuple(RunOut(product, offers[product.product_id]) for product in missing)))
    return shown
