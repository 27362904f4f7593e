"""
Redeeming: one engine for a single clerk's request, for many gathered by the lane, and for a customer
who redeems her own.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction

from config.accounts.models import User
from config.kernel.caller import CallerKind
from config.kernel.errors import DomainError
from config.kernel.idempotency import content_hash
from config.kernel.pipeline import pipelined
from stores.models import Store
from stores.queries import ClerkStore, Who, clerk_stores, send_clerks, send_stores, stores_now
from stores.services import handing_over
from stores.services.handing_over import Shelf
from vouchers.codes import is_well_formed, normalise
from vouchers.models import Redemption, RedemptionRequest, Voucher
from vouchers.queries.answers import Redeemed
from vouchers.queries.facts import facts_of, send_facts
from vouchers.queries.refusals import with_nearest
from vouchers.services import voucher_locks
from vouchers.services.actors import Actor, actor_of
from vouchers.services.instead import NOTHING, Pairs, replacing
from vouchers.services.redemption_batch import (
    MOST_AT_ONCE,
    MOST_OF_HERS,
    Asked,
    NotThatManyLeft,
    RedemptionBatch,
    RequestTakenMeanwhile,
)
from vouchers.signals import redeemed


@dataclass(frozen=True, slots=True)
class RedeemRequest:
    """
    What comes from a counter: who stands there, codes as scanned or typed (a card's code once for each
    use), and ``bill_fen``, the undiscounted eligible amount, wherever a voucher asks for it.
    """

    store_id: UUID
    who: Who
    codes: tuple[str, ...]
    bill_fen: int | None
    request_id: UUID
    instead: Pairs = ()
    """Of a package's products those that have run out, each with what is handed over in its place."""


def redeem(
    *, codes: Sequence[str], bill_fen: int | None, store: Store, operator: User, request_id: UUID, at: datetime
) -> Redeemed:
    """
    Consume 1 to 10 uses of vouchers at a store, all or nothing: a batch of one.

    Safe to retry: the same ``request_id`` with the same codes and bill gives back the first answer in
    its current state.

    Raises:
        ClerkNotAtStore: ``operator`` may not redeem there.
        StoreClosedForGood, StorePaused: nothing is redeemed there any more, or for now.
        CodesOutOfRange: no code, or more than ten.
        VoucherNotFound: no voucher of this brand carries the code.
        VoucherRefunded, VoucherAlreadyRedeemed, VoucherHeld: who was first, where and when.
        VoucherNotYetValid, VoucherExpired: before ``valid_from``, or on or after ``valid_until``.
        WrongStore: the deal is not honoured here; carries the nearest stores where it is.
        VoucherNotUsableNow: not on this day or at this hour.
        BillAmountRequired, MinSpendNotReached: no ``bill_fen`` where one is needed, or too little.
        TooManyOfOneDeal, VouchersDoNotCombine: fine one by one, not in one order.
        ProductSoldOut: a package's drink has run out, and its brand hands over only what is there; says what instead.
        SubstituteNotNeeded, SubstituteNotOffered: what it asks to be handed over instead is not offered now.
        IdempotencyConflict: ``request_id`` came before with other codes or another bill.
    """
    return redeem_one(RedeemRequest(store.id, operator.id, tuple(codes), bill_fen, request_id), at=at)


def redeem_one(request: RedeemRequest, *, at: datetime) -> Redeemed:
    """
    ``redeem`` for an edge that knows the store by its id, and whoever has called: a clerk, or a till's program.

    Raises:
        DomainError: whatever ``redeem`` raises.
    """
    [answer] = redeem_batch([request], at=at)
    if isinstance(answer, DomainError):
        raise answer
    return answer


def redeem_batch(requests: Sequence[RedeemRequest], *, at: datetime) -> list[Redeemed | DomainError]:
    """
    Answer many clerks' requests, in order, in one durable transaction; each is all or nothing by itself.

    Every voucher is locked in key order before anything is looked at, so of two clerks with one voucher
    one wins, in one batch or in two processes. A refused request changes and stores nothing. At most
    8 statements, the look-up of who may redeem where and the ledger's included.

    Answered, never raised: whatever ``redeem`` raises.
    """
    return _answered(lambda: _locked(requests, at=at), tries=len(requests) + 1, at=at)


def redeem_own(
    *,
    customer_id: UUID,
    voucher_ids: Sequence[UUID],
    store: Store,
    bill_fen: int | None,
    request_id: UUID,
    at: datetime,
) -> Redeemed:
    """
    Consume 1 to 100 uses of a customer's own vouchers at a store, all or nothing: the wallet act.

    The same rules in the same order as at the counter, without a clerk; a card is named once for each
    use. Safe to retry: the same ``request_id`` at the store with the same vouchers and bill gives back
    the first answer in its current state. Decided under the vouchers' locks, so of two devices, or a
    device and a clerk, one wins.

    Raises:
        VoucherNotFound: not there, not hers, of another brand or another issuer.
        IdempotencyConflict: ``request_id`` came before at this store with other content, or by somebody else.
        DomainError: whatever else ``redeem`` raises, ``ClerkNotAtStore`` excepted.
    """
    content = content_hash(customer=customer_id, vouchers=sorted(map(str, voucher_ids)), bill_fen=bill_fen)
    key = (store.id, request_id)

    def locked() -> tuple[list[Asked], RedemptionBatch]:
        with pipelined() as send:
            looking = send_stores(send, [store.id], at)
            locking = voucher_locks.send_lock_of_customer(send, set(voucher_ids), customer_id=customer_id)
        vouchers = {voucher.id: voucher for voucher in voucher_locks.vouchers_of(locking.fetchall())}
        here = stores_now(looking, at)[store.id]
        hers = [vouchers.get(voucher_id) for voucher_id in voucher_ids[: MOST_OF_HERS + 1]]
        named = tuple(one if one is not None and one.brand_id == here.brand_id else None for one in hers)
        with pipelined() as send:
            asking = send_facts(send, keys=[key], codes={(store.id, voucher.code) for voucher in named if voucher})
        facts = facts_of(asking, terms_ids={voucher.terms_id for voucher in named if voucher})
        source = RedemptionRequest.Source.WALLET
        asked = Asked(key, source, Actor(CallerKind.CUSTOMER, customer_id), here, named, (), bill_fen, content)
        return [asked], RedemptionBatch(facts=facts, at=at)

    [answer] = _answered(locked, tries=2, at=at)
    if isinstance(answer, DomainError):
        raise answer
    return answer


def _answered(
    locked: Callable[[], tuple[list[Asked], RedemptionBatch]], *, tries: int, at: datetime
) -> list[Redeemed | DomainError]:
    """
    Lock, look, decide and write in one durable transaction; again where somebody took a key meanwhile, or where
    a brand that hands over only what is there has found a shelf too empty: then what is left is looked at first.
    """
    watched: set[Shelf] = set()
    while tries:
        try:
            with transaction.atomic(durable=True):
                asked, batch = locked()
                if watched:
                    days = {one.store.store_id: one.store.business_date for one in asked if one.store}
                    batch.left = handing_over.lock_left({(*shelf, days[shelf[0]]) for shelf in watched})
                answers = [batch.decide(one) for one in asked]
                if batch.redemptions:
                    batch.write()
                    redeemed.send(sender=Redemption, redemptions=batch.redemptions, at=at)
        except RequestTakenMeanwhile:
            # Its row has committed, so this time it is found as a first answer: one key less each time.
            tries -= 1
            continue
        except NotThatManyLeft as found:
            watched |= found.shelves  # they are looked at first now, and not found short again
            continue
        for lost in batch.wrong_stores:
            # After the commit: no voucher stays locked while somebody is shown the way.
            latitude, longitude = lost.store.latitude, lost.store.longitude
            with_nearest([(lost.refusal, lost.terms)], latitude=latitude, longitude=longitude, at=at)
        return answers
    raise AssertionError("every key was taken meanwhile, and none of them can be found")


def _locked(requests: Sequence[RedeemRequest], *, at: datetime) -> tuple[list[Asked], RedemptionBatch]:
    """
    Lock every voucher that is named, then look, on one trip: two copies of a request may come together.

    Who may redeem where is asked on the same trip; a stranger's request locks for its moment and is refused.
    """
    # One code more than may come is enough to refuse; a request of a million codes costs no more.
    typed = [tuple(normalise(code) for code in request.codes[: MOST_AT_ONCE + 1]) for request in requests]
    wanted = {
        (request.store_id, code)
        for request, codes in zip(requests, typed, strict=True)
        for code in codes
        if is_well_formed(code)
    }
    with pipelined() as send:
        working = send_clerks(send, {(request.store_id, request.who) for request in requests}, at)
        locking = voucher_locks.send_lock(send, wanted)
        asking = send_facts(send, keys={(request.store_id, request.request_id) for request in requests}, codes=wanted)
    stores = clerk_stores(working, at)
    vouchers = {(voucher.brand_id, voucher.code): voucher for voucher in voucher_locks.vouchers_of(locking.fetchall())}
    facts = facts_of(asking, terms_ids={voucher.terms_id for voucher in vouchers.values()})
    asked = [
        _asked(request, codes, stores.get((request.store_id, request.who)), vouchers)
        for request, codes in zip(requests, typed, strict=True)
    ]
    return asked, RedemptionBatch(facts=facts, at=at)


def _asked(
    request: RedeemRequest,
    codes: tuple[str, ...],
    store: ClerkStore | None,
    vouchers: Mapping[tuple[UUID, str], Voucher],
) -> Asked:
    named = tuple(vouchers.get((store.brand_id, code)) for code in codes) if store else ()
    pairs = sorted([str(one), str(other)] for one, other in request.instead)
    content = content_hash(codes=sorted(codes), bill_fen=request.bill_fen, **({"instead": pairs} if pairs else {}))
    key, source = (request.store_id, request.request_id), RedemptionRequest.Source.COUNTER
    replaced = replacing(store, request.instead) if store else NOTHING
    return Asked(key, source, actor_of(request.who), store, named, codes, request.bill_fen, content, replaced)
