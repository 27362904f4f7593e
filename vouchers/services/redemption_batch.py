"""One batch of redemption requests under its locks: decided in order, written on one trip."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from config.kernel.errors import DomainError, IdempotencyConflict
from config.kernel.ids import new_id
from config.kernel.pipeline import as_jsonb, pipelined
from config.kernel.trail import Act, Message, send_trail
from stores.models import Store
from stores.queries import StoreNow
from stores.queries.substitutes import offering
from stores.services.handing_over import Shelf, short_of
from stores.services.stock import sold_out
from stores.services.substitutes import Instead
from vouchers import errors
from vouchers.models import Redemption, RedemptionRequest, Voucher
from vouchers.queries.answers import Redeemed, redeemed_use
from vouchers.queries.facts import Facts, LastUse, RequestKey, Story
from vouchers.queries.plannable import certain_products
from vouchers.queries.refusals import explained, explained_together
from vouchers.services import counter_stock, instead
from vouchers.services.actors import Actor
from vouchers.services.instead import NOTHING, Replacing
from vouchers.services.redemption_rows import WRITE_REDEMPTIONS, announced, row_of
from vouchers.verdict import Refusal, Terms, refusal_of, refusal_together, status_of

MOST_AT_ONCE = 10
MOST_OF_HERS = 100
"""A customer's cart may take a use for every cup."""

# In key order: two batches that carry the same keys wait for each other, never in a circle.
WRITE_REQUESTS = """
    INSERT INTO vouchers_redemptionrequest
        (id, store_id, request_id, content_hash, bill_fen, operator_id, source_kind, outcome, requested_at)
    SELECT id, s, r, decode(h, 'hex'), bill, o, kind, 'done', %(at)s
    FROM jsonb_to_recordset(%(requests)s::jsonb) AS k(id uuid, s uuid, r uuid, h text, bill bigint, o uuid, kind text)
    ORDER BY s, r
    ON CONFLICT (store_id, request_id) DO NOTHING
"""
USE_UP = """
    UPDATE vouchers_voucher v SET uses_left = k.l, status = k.st
    FROM jsonb_to_recordset(%(vouchers)s::jsonb) AS k(id uuid, l smallint, st text)
    WHERE v.id = k.id
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A request after its look-up: ``store`` is None where the clerk may not redeem there.

    ``vouchers`` are what it names, locked, None for what is not there for whoever asks; ``codes`` as a
    clerk typed them, one for each, normalised. ``content_hash`` is of all that, in any order, and of the bill.
    """

    key: RequestKey
    source: RedemptionRequest.Source
    actor: Actor
    store: StoreNow | None
    vouchers: tuple[Voucher | None, ...]
    codes: tuple[str, ...]
    bill_fen: int | None
    content_hash: bytes
    replacing: Replacing = NOTHING

    @property
    def param(self) -> str:
        return "vouchers" if self.source is RedemptionRequest.Source.WALLET else "codes"

    @property
    def most(self) -> int:
        return MOST_OF_HERS if self.source is RedemptionRequest.Source.WALLET else MOST_AT_ONCE


class RequestTakenMeanwhile(Exception):
    """Another process answered one of these keys with other vouchers, between our look and our write."""


class NotThatManyLeft(Exception):
    """A brand that hands over only what is there has too little on one of these shelves; look before deciding."""

    def __init__(self, shelves: set[Shelf]) -> None:
        super().__init__(shelves)
        self.shelves = shelves


@dataclass(slots=True)
class WrongStoreRefusal:
    """A refusal that still lacks the way to the nearest stores."""

    refusal: DomainError
    terms: Terms
    store: StoreNow


@dataclass(slots=True)
class RedemptionBatch:
    """
    ``facts`` were read after the vouchers' locks. Deciding counts uses on the rows in memory, so a later
    request of the batch sees what an earlier one took; and what is ``left`` on shelves that were found too empty.
    """

    facts: Facts
    at: datetime
    left: dict[Shelf, int] = field(default_factory=dict)
    redemptions: list[Redemption] = field(default_factory=list)
    wrong_stores: list[WrongStoreRefusal] = field(default_factory=list)
    _used: dict[UUID, Voucher] = field(default_factory=dict)
    _requests: list[dict[str, Any]] = field(default_factory=list)
    _replaced: dict[UUID, Replacing] = field(default_factory=dict)
    _chosen: list[tuple[Redemption, list[Instead], Actor]] = field(default_factory=list)
    _acts: list[Act] = field(default_factory=list)
    _told: defaultdict[UUID, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))

    def decide(self, asked: Asked) -> Redeemed | DomainError:
        store = asked.store
        if store is None:
            return errors.ClerkNotAtStore(param="store")
        if first := self.facts.first_answers.get(asked.key):
            first_hash, answer = first
            return answer.again() if first_hash == asked.content_hash else IdempotencyConflict(param="Idempotency-Key")
        if other := self.facts.at_issuers.get(asked.key):
            # A platform has that request, and ``issuer_redemption`` knows its state; nothing of ours is in it.
            same = other == asked.content_hash
            return errors.VoucherNotFound(param="codes") if same else IdempotencyConflict(param="Idempotency-Key")
        if store.status == Store.Status.CLOSED:
            return errors.StoreClosedForGood()
        if store.status == Store.Status.PAUSED:
            return errors.StorePaused()
        if not 1 <= len(asked.vouchers) <= asked.most:
            return errors.CodesOutOfRange(most=asked.most, param=asked.param)
        taken: list[tuple[Voucher, Terms, int]] = []
        refusal = self._take_all(asked, store, taken)
        if refusal is None:
            return self._record(asked, store, taken)
        for voucher, _, serial in taken:
            self._give_back(voucher, serial)
        return refusal

    def _take_all(self, asked: Asked, store: StoreNow, taken: list[tuple[Voucher, Terms, int]]) -> DomainError | None:
        """Take a use for everything named into ``taken``, or say why not and leave it to be given back."""
        for position, voucher in enumerate(asked.vouchers):
            terms = self.facts.terms[voucher.terms_id] if voucher else None
            if why := refusal_of(voucher, terms, store=store, bill_fen=asked.bill_fen, at=self.at):
                return self._refused(why, asked, store, position, voucher, terms)
            assert voucher is not None, "no refusal, so there is a voucher"
            assert terms is not None, "no refusal, so there are terms"
            taken.append((voucher, terms, self._take(voucher)))
        if asked.replacing.pairs and (not_offered := asked.replacing.refusal(_wanted(taken))):
            return not_offered
        if self.left and (sold_out := self._sold_out(asked, store, taken)):
            return sold_out
        if together := refusal_together((voucher.id, terms) for voucher, terms, _ in taken):
            why, terms = together
            return explained_together(why, terms, param=asked.param)
        return None

    def _refused(
        self, why: Refusal, asked: Asked, store: StoreNow, position: int, voucher: Voucher | None, terms: Terms | None
    ) -> DomainError:
        refusal = explained(
            why,
            code=asked.codes[position] if asked.codes else None,
            position=position,
            voucher=voucher,
            terms=terms,
            story=self._story(voucher) if voucher else Story(),
            store=store,
            bill_fen=asked.bill_fen,
            at=self.at,
        )
        if why is errors.WrongStore and terms is not None:
            self.wrong_stores.append(WrongStoreRefusal(refusal, terms, store))
        return refusal

    def _sold_out(
        self, asked: Asked, store: StoreNow, taken: Sequence[tuple[Voucher, Terms, int]]
    ) -> DomainError | None:
        wanted: Counter[UUID] = Counter()
        for _, terms, _ in taken:
            wanted.update(asked.replacing.handed_over(terms))
        short = {one for one, count in wanted.items() if self.left.get((store.store_id, one), count) < count}
        if not short:
            return None
        return offering(sold_out(min(short)), store_id=store.store_id, today=store.business_date)

    def _story(self, voucher: Voucher) -> Story:
        return self.facts.stories.setdefault(voucher.id, Story())

    def _take(self, voucher: Voucher) -> int:
        """The next free use of a voucher that has one."""
        gone = self._story(voucher).gone
        serial = next(serial for serial in range(1, voucher.uses_total + 1) if serial not in gone)
        gone.add(serial)
        self._count(voucher, voucher.uses_left - 1)
        return serial

    def _give_back(self, voucher: Voucher, serial: int) -> None:
        self._story(voucher).gone.remove(serial)
        self._count(voucher, voucher.uses_left + 1)

    def _count(self, voucher: Voucher, uses_left: int) -> None:
        story = self._story(voucher)
        voucher.uses_left = uses_left
        voucher.status = status_of(
            uses_left=uses_left,
            uses_held=voucher.uses_held,
            refunding=False,  # or the verdict had refused it
            refunded=story.refunding_at is not None,
            expired=story.any_expired,
        )

    def _record(self, asked: Asked, store: StoreNow, taken: Sequence[tuple[Voucher, Terms, int]]) -> Redeemed:
        request_id = new_id()
        answered = []
        for voucher, terms, serial in taken:
            for product_id, count in asked.replacing.handed_over(terms).items() if self.left else ():
                self.left[store.store_id, product_id] = self.left.get((store.store_id, product_id), count) - count
            redemption = self._redemption(request_id, voucher, serial, store)
            self.redemptions.append(redemption)
            if asked.replacing.pairs:
                self._replaced[redemption.id] = asked.replacing
                self._chosen.append((redemption, asked.replacing.chosen(terms), asked.actor))
            self._used[voucher.id] = voucher
            self._story(voucher).last_use = LastUse(redemption.id, store.store_id, store.name, self.at)
            self._told[store.brand_id].append(announced(redemption, voucher))
            answered.append(
                redeemed_use(redemption, voucher, terms, is_dearer=store.is_dearer, bill_fen=asked.bill_fen)
            )
        self._requests.append(
            {
                "id": request_id,
                "s": store.store_id,
                "r": asked.key[1],
                "h": asked.content_hash.hex(),
                "bill": asked.bill_fen,
                "o": asked.actor.operator_id,
                "kind": asked.source.value,
            }
        )
        self._acts.append(
            Act(
                act="voucher.redeem",
                actor_kind=asked.actor.kind,
                actor_id=asked.actor.id,
                subject_kind="redemption_request",
                subject_id=request_id,
                brand_id=store.brand_id,
                subject_count=len(taken),
                details={"store": store.public_id, **asked.actor.told, **asked.replacing.told()},
            )
        )
        answer = Redeemed(request_id, store.store_id, asked.bill_fen, tuple(answered))
        # The same request a second time in this batch meets its own first answer.
        self.facts.first_answers[asked.key] = (asked.content_hash, answer)
        return answer

    def _redemption(self, request_id: UUID, voucher: Voucher, serial: int, store: StoreNow) -> Redemption:
        return Redemption(
            id=new_id(),
            request_id=request_id,
            voucher=voucher,
            customer_id=voucher.customer_id,
            store_id=store.store_id,
            entity_id=store.entity_id,
            serial=serial,
            amount_fen=voucher.use_amounts_fen[serial - 1],
            business_date=store.business_date,
            redeemed_at=self.at,
            reversible_until=self.at + timedelta(seconds=settings.REVERSIBLE_FOR_SECONDS),
        )

    def write(self) -> None:
        """
        Facts first, the vouchers' counters after them; all on one trip.

        Raises:
            RequestTakenMeanwhile, NotThatManyLeft: nothing of this may stay; roll back and decide again.
        """
        counters = [{"id": v.id, "l": v.uses_left, "st": str(v.status)} for v in self._used.values()]
        messages = [Message(brand_id, "vouchers.redeemed", items) for brand_id, items in self._told.items()]
        until = self.redemptions[0].reversible_until
        with pipelined() as send:
            stored = send(WRITE_REQUESTS, {"requests": as_jsonb(self._requests), "at": self.at})
            rows = as_jsonb([row_of(redemption) for redemption in self.redemptions])
            send(WRITE_REDEMPTIONS, {"redemptions": rows, "at": self.at, "until": until})
            send(USE_UP, {"vouchers": as_jsonb(counters)})
            taking = counter_stock.send_taken(
                send, self.redemptions, self.facts.terms, replaced=self._replaced, at=self.at
            )
            send_trail(send, self._acts, messages, at=self.at)
        if stored.rowcount != len(self._requests):
            raise RequestTakenMeanwhile
        if taking is not None and (short := short_of(taking)):
            raise NotThatManyLeft(short)
        for redemption, chosen, actor in self._chosen:
            instead.note(redemption, chosen, actor, at=self.at)


def _wanted(taken: Sequence[tuple[Voucher, Terms, int]]) -> Counter[UUID]:
    """What the vouchers say is handed over."""
    wanted: Counter[UUID] = Counter()
    for _, terms, _ in taken:
        wanted.update(certain_products(terms))
    return wanted
