"""
Practising: a few vouchers that are nobody's, kept in the browser's session.

Everything looks and sounds as at the real counter, and nothing is written anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.contrib.sessions.backends.base import SessionBase

from config.kernel.errors import DomainError
from config.pages.console.desk import Desk
from config.pages.console.shown import FirstUse, Result, Row, Use
from config.pages.design.words import say
from vouchers import errors
from vouchers.codes import damm, masked, normalise

USED = "console.practice.used"
UNDO_FOR = timedelta(hours=1)
NOBODYS = UUID(int=0)


@dataclass(frozen=True)
class Fake:
    """One voucher to practise with: what it is called, and what happens to it."""

    number: str
    name: str
    uses_total: int = 1
    off_fen: int | None = None
    needs_bill: bool = False
    refusal: type[DomainError] | None = None

    @property
    def code(self) -> str:
        return f"{self.number}{damm(self.number)}"


FAKES = (
    Fake("00000000001", "practice.cup"),
    Fake("00000000002", "practice.cash", off_fen=800, needs_bill=True),
    Fake("00000000003", "practice.card", uses_total=10),
    Fake("00000000004", "practice.used", refusal=errors.VoucherAlreadyRedeemed),
    Fake("00000000005", "practice.elsewhere", refusal=errors.WrongStore),
)
BY_CODE = {fake.code: fake for fake in FAKES}


def samples(desk: Desk) -> list[tuple[str, str]]:
    """Codes to try, with what each is for."""
    return [(fake.code, say(fake.name, desk.language)) for fake in FAKES]


@dataclass(frozen=True)
class PracticeCounter:
    desk: Desk
    session: SessionBase

    def typed(self, codes: Sequence[str], bill_fen: int | None) -> list[Row]:
        return [self._row(normalise(code)) for code in codes]

    def scanned(self, text: str, bill_fen: int | None) -> list[Row]:
        """
        Raises:
            QrNotOurs: real codes are not for practising.
        """
        raise errors.QrNotOurs(param="qr")

    def redeem(self, codes: Sequence[str], bill_fen: int | None, request_id: UUID) -> str:
        """
        Raises:
            VoucherNotFound, VoucherAlreadyRedeemed, BillAmountRequired: as at the real counter.
        """
        used = self._used()
        key = request_id.hex
        if key in used:
            return key
        for code in set(codes):
            row = self._row(code)
            if row.refusal is not None:
                raise row.refusal
            if row.needs_bill and bill_fen is None:
                raise errors.BillAmountRequired(param="bill_fen", min_spend_fen=0, bill_fen=None)
        used[key] = {"codes": list(codes), "bill_fen": bill_fen, "at": self.desk.at.isoformat(), "undone": ""}
        self.session[USED] = used
        return key

    def result(self, id: str) -> Result:
        """
        Raises:
            RequestNotFound: nothing of this session.
        """
        told = self._used().get(id)
        if told is None:
            raise errors.RequestNotFound
        at = datetime.fromisoformat(told["at"])
        undone = datetime.fromisoformat(told["undone"]) if told["undone"] else None
        customer = say("practice.customer", self.desk.language)
        uses = []
        for place, code in enumerate(told["codes"]):
            fake = BY_CODE[code]
            uses.append(
                Use(
                    redemption_id=uuid5(NOBODYS, f"{id}{place}"),
                    title=say(fake.name, self.desk.language),
                    customer=customer,
                    serial=self._serial(code, before=id) + told["codes"][:place].count(code),
                    uses_left=fake.uses_total - self._taken(code),
                    uses_total=fake.uses_total,
                    off_fen=fake.off_fen,
                    pays_difference=False,
                    reversed_at=undone,
                )
            )
        return Result(id, uses, told["bill_fen"], at, None if undone else at + UNDO_FOR)

    def undo(self, result: Result, request_id: UUID) -> None:
        used = self._used()
        used[result.id]["undone"] = used[result.id]["undone"] or self.desk.at.isoformat()
        self.session[USED] = used

    def first_use(self, refusal: DomainError) -> FirstUse | None:
        if not isinstance(refusal, errors.VoucherAlreadyRedeemed):
            return None
        told = refusal.details
        return FirstUse(
            at=datetime.fromisoformat(told["redeemed_at"]),
            store_name=self.desk.store.name,
            clerk=str(self.desk.clerk),
            title=told["title"],
            code=told["code"],
        )

    def _row(self, code: str) -> Row:
        fake = BY_CODE.get(code)
        customer = say("practice.customer", self.desk.language)
        if fake is None:
            return Row(code=code, title="", customer="", refusal=errors.VoucherNotFound(code=masked(code)))
        left = fake.uses_total - self._taken(code)
        return Row(
            code=code,
            title=say(fake.name, self.desk.language),
            customer=customer,
            uses_left=left,
            uses_total=fake.uses_total,
            needs_bill=fake.needs_bill,
            off_fen=fake.off_fen,
            refusal=self._refusal(fake, left),
        )

    def _refusal(self, fake: Fake, left: int) -> DomainError | None:
        title = say(fake.name, self.desk.language)
        if fake.refusal is errors.WrongStore:
            near = {"name": say("practice.nearest", self.desk.language), "distance_metres": 480, "address": ""}
            return errors.WrongStore(title=title, code=masked(fake.code), nearest=[near])
        if fake.refusal is None and left > 0:
            return None
        at = self.desk.at - timedelta(minutes=21)
        for told in self._used().values():
            if fake.code in told["codes"] and not told["undone"]:
                at = datetime.fromisoformat(told["at"])
        return errors.VoucherAlreadyRedeemed(title=title, code=masked(fake.code), redeemed_at=at.isoformat())

    def _taken(self, code: str) -> int:
        return sum(told["codes"].count(code) for told in self._used().values() if not told["undone"])

    def _serial(self, code: str, *, before: str) -> int:
        """Which use the first one of a request was, among those that stand."""
        earlier = 0
        for key, told in self._used().items():
            if key == before:
                break
            earlier += 0 if told["undone"] else told["codes"].count(code)
        return earlier + 1

    def _used(self) -> dict[str, dict[str, Any]]:
        kept: dict[str, dict[str, Any]] = self.session.get(USED, {})
        return kept
