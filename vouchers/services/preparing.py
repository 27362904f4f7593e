"""What a clerk is shown before she redeems: our own vouchers beside those that platforms sold."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from config.kernel.errors import DomainError
from stores.queries import ClerkStore
from vouchers import errors
from vouchers.models import Voucher
from vouchers.queries import counter
from vouchers.queries.counter import Prepared
from vouchers.services import issuer_import


def prepare(*, store: ClerkStore, codes: Sequence[str], bill_fen: int | None, at: datetime) -> list[Prepared]:
    """
    What each code would be answered here and now; a code that is not ours is asked about at the brand's platforms.

    What a platform tells of is taken into the wallet. A code of which nothing could be learned is refused by
    itself (IssuerDoesNotAnswer, IssuerProductUnknown) beside the others. Never inside a transaction.
    """
    shown: list[Prepared] = []
    silent: set[str] = set()
    for one in counter.prepare(store=store, codes=codes, bill_fen=bill_fen, at=at):
        shown += [one] if one.voucher else _elsewhere(one, store, bill_fen, silent, at=at)
    return shown


def _elsewhere(
    one: Prepared, store: ClerkStore, bill_fen: int | None, silent: set[str], *, at: datetime
) -> list[Prepared]:
    try:
        found = _found(store, one.code, silent, at=at)
    except (errors.IssuerDoesNotAnswer, errors.IssuerProductUnknown) as unanswered:
        return [replace(one, refusal=unanswered)]
    return _judged(found, store, bill_fen, at=at) if found else [one]


def prepare_qr(*, store: ClerkStore, text: str, bill_fen: int | None, at: datetime) -> list[Prepared]:
    """
    What the vouchers behind a scanned text would be answered: our own QR, or a platform's.

    Raises:
        QrExpired, QrNotOurs, VoucherNotFound: about ``text``, where no platform knows it either.
        IssuerDoesNotAnswer, IssuerProductUnknown: nothing could be learned of it.
    """
    try:
        return counter.prepare_qr(store=store, text=text, bill_fen=bill_fen, at=at)
    except errors.QrNotOurs as not_ours:
        if found := _found(store, text, set(), at=at):
            return _judged(found, store, bill_fen, at=at)
        raise not_ours from None


def _found(store: ClerkStore, text: str, silent: set[str], *, at: datetime) -> list[Voucher]:
    try:
        return issuer_import.look_up(brand_id=store.brand_id, store_id=store.store_id, text=text, at=at, silent=silent)
    except errors.IssuerDoesNotAnswer as silence:
        # What it told of before is better than nothing; redeeming asks again.
        return _known(store, text, silence)


def _known(store: ClerkStore, text: str, silence: DomainError) -> list[Voucher]:
    if known := issuer_import.known(brand_id=store.brand_id, texts=[text]):
        return known
    raise silence


def _judged(found: Sequence[Voucher], store: ClerkStore, bill_fen: int | None, *, at: datetime) -> list[Prepared]:
    shown = [(voucher.code, voucher) for voucher in found]
    return counter.judged(shown, store=store, bill_fen=bill_fen, at=at, issuer=found[0].issuer)
