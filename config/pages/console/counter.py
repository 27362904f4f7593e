"""The store's real counter behind its pages: the same services and the same limits as the API's edge."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5

from config.kernel.errors import DomainError
from config.kernel.ids import parse
from config.pages.console.desk import Desk
from config.pages.console.shown import Extra, FirstUse, Result, Row, Use
from config.pages.design.words import say
from orders.models import Surcharge
from orders.queries import surcharges_of_store
from stores.models import Customer
from vouchers import errors
from vouchers.api import misses
from vouchers.codes import normalise
from vouchers.models import Redemption, Voucher
from vouchers.queries import issuer_requests
from vouchers.queries.answers import RedeemedUse
from vouchers.queries.counter import Prepared
from vouchers.services import issuer_redemption, issuer_reversal, preparing
from vouchers.services.redemption import RedeemRequest
from vouchers.verdict import valid_until_of


@dataclass(frozen=True)
class StoreCounter:
    desk: Desk

    def typed(self, codes: Sequence[str], bill_fen: int | None) -> list[Row]:
        """What each code would be answered here and now."""
        self._require_room()
        prepared = preparing.prepare(store=self.desk.store, codes=codes, bill_fen=bill_fen, at=self.desk.at)
        return self._rows(prepared, bill_fen)

    def scanned(self, text: str, bill_fen: int | None) -> list[Row]:
        """
        Raises:
            QrExpired, QrNotOurs, VoucherNotFound: about the text.
        """
        self._require_room()
        try:
            prepared = preparing.prepare_qr(store=self.desk.store, text=text, bill_fen=bill_fen, at=self.desk.at)
        except misses.MISSED:
            self._missed(1)
            raise
        return self._rows(prepared, bill_fen)

    def redeem(self, codes: Sequence[str], bill_fen: int | None, request_id: UUID) -> str:
        """The request that was done, or waits for a platform; a repeat is the first one again."""
        self._require_room()
        wanted = RedeemRequest(self.desk.store.store_id, self.desk.caller, tuple(codes), bill_fen, request_id)
        try:
            return issuer_redemption.redeem_wherever(wanted, at=self.desk.at).public_id
        except misses.MISSED:
            self._missed(1)
            raise

    def result(self, id: str) -> Result:
        """
        Raises:
            RequestNotFound: not there, or not hers to see.
        """
        state = issuer_requests.for_counter(id, self.desk.caller, at=self.desk.at)
        if state.store_id != self.desk.store.store_id:
            raise errors.RequestNotFound
        vouchers = Voucher.objects.filter(id__in=[use.voucher_id for use in state.uses])
        customers = self._customers({voucher.id: voucher.customer_id for voucher in vouchers})
        beyond = surcharges_of_store(state.store_id).filter(
            redemption_id__in=[use.redemption_id for use in state.uses], given_back_at__isnull=True, closed_at=None
        )
        ends = [use.reversible_until for use in state.uses if use.reversible_until and not use.reversed_at]
        return Result(
            id=state.public_id,
            uses=[_use(use, customers.get(use.voucher_id, "")) for use in state.uses],
            bill_fen=state.bill_fen,
            at=state.requested_at,
            reversible_until=min(ends, default=None),
            is_decided=state.is_decided,
            extras=[_extra(one) for one in beyond.order_by("id")],
        )

    def undo(self, result: Result, request_id: UUID) -> None:
        """
        Take back every use of a result that stands; safe to repeat.

        Raises:
            DomainError: whatever reversing raises.
        """
        for use in result.live:
            issuer_reversal.reverse_wherever(
                redemption_id=use.redemption_id,
                operator=self.desk.caller,
                request_id=uuid5(request_id, use.redemption_id.hex),
                at=self.desk.at,
            )

    def first_use(self, refusal: DomainError) -> FirstUse | None:
        """When, where and by whom a voucher was used that is refused as used."""
        told = refusal.details
        if not isinstance(refusal, errors.VoucherAlreadyRedeemed) or "redemption" not in told:
            return None
        used = Redemption.objects.select_related("request__operator").get(
            id=parse(Redemption.PREFIX, told["redemption"])
        )
        clerk = used.request.operator
        return FirstUse(
            at=datetime.fromisoformat(told["redeemed_at"]),
            store_name=told["store_name"],
            clerk=str(clerk) if clerk else say("console.by_herself", self.desk.language),
            title=told["title"],
            code=told.get("code", ""),
        )

    def _require_room(self) -> None:
        misses.require_room(clerk_id=self.desk.caller_id, address=self.desk.address)

    def _missed(self, count: int) -> None:
        misses.count(count, clerk_id=self.desk.caller_id, address=self.desk.address)

    def _rows(self, prepared: Sequence[Prepared], bill_fen: int | None) -> list[Row]:
        self._missed(sum(isinstance(one.refusal, misses.MISSED) for one in prepared))
        customers = self._customers({one.voucher.id: one.voucher.customer_id for one in prepared if one.voucher})
        return [_row(one, customers.get(one.voucher.id, "") if one.voucher else "", bill_fen) for one in prepared]

    def _customers(self, by_voucher: dict[UUID, UUID]) -> dict[UUID, str]:
        """What her people call a customer: the end of her phone number, else the end of her id."""
        tails = dict(Customer.objects.filter(id__in=set(by_voucher.values())).values_list("id", "phone_tail"))
        language = self.desk.language
        return {
            voucher_id: say("console.phone_tail", language, tail=tails[customer_id])
            if tails.get(customer_id)
            else say("console.customer_tail", language, tail=customer_id.hex[-4:].upper())
            for voucher_id, customer_id in by_voucher.items()
        }


def _row(one: Prepared, customer: str, bill_fen: int | None) -> Row:
    voucher, terms = one.voucher, one.terms
    if voucher is None or terms is None:
        return Row(code=normalise(one.code), title="", customer=customer, refusal=one.refusal)
    return Row(
        code=one.code,
        title=terms.title,
        customer=customer,
        uses_left=voucher.uses_left,
        uses_total=voucher.uses_total,
        needs_bill=terms.needs_bill,
        min_spend_fen=terms.min_spend_fen,
        off_fen=terms.discount_fen(bill_fen) if terms.discount_rate_bps is not None else terms.face_value_fen,
        pays_difference=one.pays_difference,
        valid_until=valid_until_of(voucher, terms),
        refusal=one.refusal,
    )


def _extra(one: Surcharge) -> Extra:
    is_by_qr = one.way == Surcharge.Way.PROVIDER
    return Extra(one.public_id, one.reason, one.amount_fen, one.paid_at is not None, is_by_qr)


def _use(use: RedeemedUse, customer: str) -> Use:
    return Use(
        redemption_id=use.redemption_id,
        title=use.title,
        customer=customer,
        serial=use.serial,
        uses_left=use.uses_left,
        uses_total=use.uses_total,
        off_fen=use.discount_fen if use.discount_rate_bps is not None else use.face_value_fen,
        pays_difference=use.pays_difference,
        reversed_at=use.reversed_at,
    )
