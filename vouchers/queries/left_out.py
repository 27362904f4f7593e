"""Why a voucher stays in the wallet, and what it would take: a plan's reasons as sentences for her at the cart."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from config.kernel.errors import DomainError
from config.kernel.ids import parse
from config.kernel.money import yuan
from stores.models import Product
from stores.queries import StoreNow
from vouchers import errors
from vouchers.models import Voucher
from vouchers.plan import outcome
from vouchers.plan.model import LeftOut
from vouchers.queries.facts import Story
from vouchers.queries.plannable import Owned
from vouchers.queries.refusals import explained, explained_together, show_the_way
from vouchers.queries.whereabouts import look_up

SENTENCES = {
    outcome.EXCLUDED: ("您选择了不用这张券", "You chose to keep this voucher."),
    outcome.NO_ELIGIBLE_ITEM: ("这单里没有这张券可用的商品", "Nothing in this cart is what this voucher pays for."),
    outcome.PACKAGE_INCOMPLETE: ("还差 {missing_zh} 就能用这张券", "Add {missing_en} to use this voucher."),
    outcome.NOTHING_LEFT_TO_PAY: (
        "可用的商品已经由别的券付清，这张留着下次用",
        "Other vouchers pay for all that it could; it stays for next time.",
    ),
    outcome.NOT_WORTH_IT: ("不用更划算{compared_zh}", "Keeping it is the better deal{compared_en}."),
}
"""What only a plan knows; everything else is said as at the counter."""


@dataclass(frozen=True, slots=True)
class Said:
    """One voucher that stays, with the sentence in both languages."""

    left: LeftOut
    details: Mapping[str, Any]
    zh: str
    en: str


def in_words(left_out: Iterable[LeftOut], wallet: Mapping[UUID, Owned], *, store: StoreNow, at: datetime) -> list[Said]:
    """
    Each reason with its sentence, by the same rules and words as at the counter.

    Names of products that packages lack and, where this is the wrong store, the nearest right ones cost one statement
    for all vouchers together; what was asked within minutes costs none.
    """
    found = [(one, wallet[parse(Voucher.PREFIX, one.voucher_id)]) for one in left_out]
    refused = {one.voucher_id: _error_of(one, owned, store=store, at=at) for one, owned in found if _is_refused(one)}
    wrong = {one.voucher_id: owned.terms for one, owned in found if one.code == errors.WrongStore.code}
    place = None if store.latitude is None or store.longitude is None else (store.latitude, store.longitude)
    known = look_up(products=_lacking(one for one, _ in found), terms=wrong.values(), place=place, at=at)
    for voucher_id, terms in wrong.items():
        show_the_way(refused[voucher_id], terms, known)
    return [
        _refused(one, refused[one.voucher_id]) if _is_refused(one) else _planned(one, known.names) for one, _ in found
    ]


def _is_refused(one: LeftOut) -> bool:
    return one.code not in SENTENCES


def _planned(one: LeftOut, names: Mapping[UUID, tuple[str, str]]) -> Said:
    details = _compared(one) | _missing(one, names)
    zh, en = (sentence.format(**details) for sentence in SENTENCES[one.code])
    told = {name: value for name, value in details.items() if not name.startswith("compared")}
    return Said(one, {**one.details, **told}, zh, en)


def _refused(one: LeftOut, error: DomainError) -> Said:
    details = {name: value for name, value in error.details.items() if name not in ("position", "bill_fen")}
    zh, en = error.message("zh"), error.message("en")
    if lacking := one.details.get("missing_fen"):
        zh, en = f"还差 {yuan(int(str(lacking)))}。{zh}", f"{yuan(int(str(lacking)))} more. {en}"
    return Said(one, {**details, **one.details}, zh, en)


def _error_of(one: LeftOut, owned: Owned, *, store: StoreNow, at: datetime) -> DomainError:
    refusal = DomainError.registry[one.code]
    if refusal in (errors.TooManyOfOneDeal, errors.VouchersDoNotCombine):
        return explained_together(refusal, owned.terms, param="uses")
    return explained(
        refusal,
        code=None,
        position=0,
        voucher=owned.voucher,
        terms=owned.terms,
        story=Story(),
        store=store,
        bill_fen=None,
        at=at,
    )


def _compared(one: LeftOut) -> dict[str, Any]:
    """With it she would pay so much, and give up so much of a refund."""
    with_it, refund = one.details.get("due_with_it_fen"), one.details.get("refund_fen")
    zh = en = ""
    if with_it is not None:
        zh += f"，用上它还要付 {yuan(int(str(with_it)))}"
        en += f": with it you would pay {yuan(int(str(with_it)))}"
    if refund:
        zh += f"，留着还能退 {yuan(int(str(refund)))}"
        en += f"{',' if en else ':'} and its refund of {yuan(int(str(refund)))} would be gone"
    return {"compared_zh": zh, "compared_en": en}


def _lacking(left_out: Iterable[LeftOut]) -> set[UUID]:
    """The products that packages lack."""
    lists = [one.details["missing"] for one in left_out if one.code == outcome.PACKAGE_INCOMPLETE]
    named = {product for groups in lists if isinstance(groups, list) for one in groups for product in one}
    return {parse(Product.PREFIX, product) for product in named}


def _missing(one: LeftOut, names: Mapping[UUID, tuple[str, str]]) -> dict[str, Any]:
    """What a package lacks, by name; any one of a group's products would do."""
    missing, counts = one.details.get("missing"), one.details.get("counts")
    if not isinstance(missing, list) or not isinstance(counts, list):
        return {}
    groups = [[names[parse(Product.PREFIX, product)] for product in products] for products in missing]
    parts = [(" / ".join(zh for zh, _ in group), " / ".join(en for _, en in group)) for group in groups]
    return {
        "missing_zh": "、".join(f"{zh} × {n}" for (zh, _), n in zip(parts, counts, strict=True)),
        "missing_en": ", ".join(f"{n} × {en}" for (_, en), n in zip(parts, counts, strict=True)),
    }
