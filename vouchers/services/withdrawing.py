"""A product goes for good: with the vouchers that name it substituted or refunded, or not at all."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from config.kernel.caller import Caller
from stores.errors import ProductNotFound
from stores.models import Product
from stores.services import brands, products
from vouchers.errors import OpenVouchersNameProduct
from vouchers.models import Recall
from vouchers.queries import open_vouchers
from vouchers.queries.open_vouchers import OpenTerms
from vouchers.services import recalls


def withdraw(*, product_id: UUID, reason: str, by: Caller, at: datetime) -> Product:
    """
    Withdraw a product that no open voucher names. Repeating changes nothing.

    Raises:
        ProductNotFound: as it says.
        OpenVouchersNameProduct: how many, by terms; they need substitutes or a refund.
    """
    with transaction.atomic(durable=True):
        product = _locked(product_id)
        if product.withdrawn_at is not None:
            return product
        named = open_vouchers.on_product(product)
        if count := sum(one.open_vouchers for one in named):
            terms = {one.terms.public_id: one.open_vouchers for one in named if one.open_vouchers}
            raise OpenVouchersNameProduct(open_vouchers=count, terms=terms)
        _withdraw(product, _unmet(named), reason=reason, by=by, at=at)
        return product


def withdraw_with_substitutes(
    *, product_id: UUID, substitute_ids: Sequence[UUID], reason: str, by: Caller, at: datetime
) -> Product:
    """
    Withdraw a product and let others take its place in every voucher that names it, at no extra charge.

    Repeating changes nothing.

    Raises:
        ProductNotFound: as it says.
        SubstituteRefused: one of them cannot stand in for it.
    """
    with transaction.atomic(durable=True):
        product = _locked(product_id)
        if product.withdrawn_at is None:
            products.substitute(product=product, substitute_ids=substitute_ids)
            _withdraw(product, [], reason=reason, by=by, at=at)
        return product


def withdraw_with_refund(*, product_id: UUID, reason: str, by: Caller, at: datetime) -> Product:
    """
    Withdraw a product, and recall the terms that cannot be met without it: workers refund what is open on them.

    Terms that leave another choice go on. Repeating changes nothing.

    Raises:
        ProductNotFound: as it says.
    """
    with transaction.atomic(durable=True):
        product = _locked(product_id)
        if product.withdrawn_at is None:
            _withdraw(product, _unmet(open_vouchers.on_product(product)), reason=reason, by=by, at=at)
        return product


def _locked(product_id: UUID) -> Product:
    """
    The product under its brand's lock: of the last two choices of a package, whichever goes later sees that the
    other has gone.
    """
    assert connection.in_atomic_block, "a lock lasts as long as its transaction"
    brand_id = Product.objects.filter(id=product_id).values_list("brand_id", flat=True).first()
    if brand_id is None:
        raise ProductNotFound
    brands.lock(brand_id)
    return products.lock(product_id)


def _unmet(named: Sequence[OpenTerms]) -> list[OpenTerms]:
    return [one for one in named if not one.can_be_met]


def _withdraw(product: Product, unmet: Sequence[OpenTerms], *, reason: str, by: Caller, at: datetime) -> None:
    products.withdraw(product=product, reason=reason, by=by, at=at)
    # Also where nothing is open: what is paid and not issued yet would be, a moment later.
    recalls.begin(
        terms=[one.terms for one in unmet],
        brand_id=product.brand_id,
        cause=Recall.Cause.PRODUCT_WITHDRAWN,
        subject_id=product.id,
        by=by,
        at=at,
    )
