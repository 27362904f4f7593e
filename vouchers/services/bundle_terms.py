"""A bundle's children, frozen with their list prices when its terms are published."""

from dataclasses import replace
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from config.kernel.errors import MalformedId
from config.kernel.ids import parse
from vouchers import queries
from vouchers.errors import TermsInvalid
from vouchers.models import Deal, DealTerms, Recall
from vouchers.services.terms_check import NewTerms


def with_frozen_children(new: NewTerms, *, brand_id: UUID, at: datetime) -> NewTerms:
    """
    The terms with each child's list price written beside it: what is paid is split by these.

    Raises:
        TermsInvalid: a child that is not this brand's, is a bundle, comes twice, is over or can be met no more; or a
            list price that is not its children's.
    """
    ids = [_id(child["terms"]) for child in new.bundle_children]
    if len(set(ids)) != len(ids):
        _refuse("bundle_children", "each terms once, with a count", "同一种券请合并数量")
    found = {
        row.pk: row for row in DealTerms.objects.filter(pk__in=ids, deal__brand_id=brand_id).select_related("deal")
    }
    now = queries.terms(found.keys())
    recalled = set(Recall.objects.filter(terms__in=found).values_list("terms_id", flat=True))
    for one in ids:
        child = found.get(one)
        if child is None:
            _refuse("bundle_children", "terms of this brand", "券包里的券不存在")
        if child.deal.kind == Deal.Kind.BUNDLE:
            _refuse("bundle_children", "a bundle holds no bundle", "券包里不能再放券包")
        ends_at = now[one].until_now
        if ends_at is not None and ends_at <= at:
            _refuse("bundle_children", f"{child.public_id} is over", "券包里有已过期的券")
        if one in recalled:
            _refuse("bundle_children", f"{child.public_id} can be met no more", "券包里有已无法兑付的券")
    priced = [
        {"terms": child["terms"], "count": child["count"], "list_price_fen": found[one].list_price_fen}
        for one, child in zip(ids, new.bundle_children, strict=True)
    ]
    total = sum(child["count"] * child["list_price_fen"] for child in priced)
    if new.list_price_fen != total:
        _refuse("list_price_fen", f"its children's list prices sum to {total} fen", "门市价应等于券包内各券之和")
    return replace(new, bundle_children=priced)


def _id(text: str) -> UUID:
    try:
        return parse(DealTerms.PREFIX, text)
    except MalformedId:
        _refuse("bundle_children", "terms by their ids, trm_…", "券包内容格式不对")


def _refuse(param: str, reason: str, zh: str) -> NoReturn:
    raise TermsInvalid(param=param, reason=reason, zh=zh)
