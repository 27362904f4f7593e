"""Products that go for good and stores that close: whose vouchers are touched, and what becomes of them."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import NotAllowed
from config.kernel.ids import parse, public
from stores.api.products import ProductAnswer
from stores.api.shown import PublicId
from stores.errors import BrandNotFound, BrandRequired, ProductNotFound, StoreNotFound, SubstituteRefused
from stores.models import Customer, Product, Store
from stores.permissions import Permission
from stores.queries import brand_for_caller, store_for_caller
from stores.queries.products import product_for_caller
from vouchers.errors import OpenVouchersNameProduct, TermsNotFound
from vouchers.models import DealTerms, Recall, Voucher
from vouchers.queries import open_vouchers
from vouchers.queries.open_vouchers import OpenTerms
from vouchers.services import withdrawing

SUBJECTS = {Recall.Cause.PRODUCT_WITHDRAWN: Product.PREFIX, Recall.Cause.STORE_CLOSED: Store.PREFIX}


class OpenTermsAnswer(serializers.Serializer[Any]):
    terms = serializers.CharField(help_text="trm_…")
    deal = serializers.CharField(help_text="dea_…")
    title = serializers.CharField()
    open_vouchers = serializers.IntegerField(help_text="Issued or held, not used up.")
    can_be_met = serializers.BooleanField(help_text="Without it, by what else the terms name.")


class OpenTermsList(serializers.Serializer[Any]):
    open_vouchers = serializers.IntegerField()
    items = OpenTermsAnswer(many=True)


class OpenVoucherAnswer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="vch_…")
    customer = serializers.CharField(help_text="cus_…")
    status = serializers.ChoiceField(choices=Voucher.Status.choices)
    uses_left = serializers.IntegerField()
    issued_at = serializers.DateTimeField()
    valid_until = serializers.DateTimeField()


OPEN_VOUCHERS = page_schema(OpenVoucherAnswer)


class OpenVouchersQuery(PageQuery):
    terms = serializers.CharField(help_text="trm_… of the list of terms.")


class WithdrawRequest(StrictSerializer):
    reason = serializers.CharField(max_length=256)
    vouchers = serializers.ChoiceField(
        choices=["refuse", "substitute", "refund"],
        default="refuse",
        help_text="What becomes of open vouchers that name it. `refuse`: there must be none.",
    )
    substitutes = serializers.ListField(
        child=PublicId("prd"), required=False, min_length=1, max_length=16, help_text="prd_…, with `substitute`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["vouchers"] == "substitute") != ("substitutes" in attrs):
            raise serializers.ValidationError({"substitutes": ["exactly with vouchers=substitute"]})
        return attrs


class RecallsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text="brd_…, where you serve several.")


class RecallAnswer(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="rcl_…")
    terms = serializers.CharField(help_text="trm_…")
    cause = serializers.ChoiceField(choices=Recall.Cause.choices)
    subject = serializers.CharField(help_text="prd_… that was withdrawn, or sto_… that closed.")
    begun_at = serializers.DateTimeField()
    open_vouchers = serializers.IntegerField(help_text="Not given back yet.")


class ProductTerms(APIView):
    @extend_schema(
        operation_id="list_product_terms",
        summary="Terms that name a product, with how many vouchers are open on each",
        responses={200: OpenTermsList, **errors_of(NotAllowed, ProductNotFound)},
        tags=["products"],
        auth=only("staffToken", "apiKey"),
    )
    def get(self, request: Request, product: str) -> Response:
        """GET /api/v1/products/{product}/terms"""
        by, at = caller(request), timezone.now()
        found = product_for_caller(by, product, permission=Permission.EDIT_PRODUCTS, at=at)
        return Response(_shown(open_vouchers.on_product(found)))


class ProductVouchers(APIView):
    @extend_schema(
        operation_id="list_product_vouchers",
        summary="Open vouchers of terms that name a product, newest first",
        parameters=[OpenVouchersQuery],
        responses={200: OPEN_VOUCHERS, **errors_of(NotAllowed, ProductNotFound, TermsNotFound)},
        tags=["products"],
        auth=only("staffToken", "apiKey"),
    )
    def get(self, request: Request, product: str) -> Response:
        """GET /api/v1/products/{product}/vouchers"""
        by, at = caller(request), timezone.now()
        asked = query_of(request, OpenVouchersQuery).validated_data
        found = product_for_caller(by, product, permission=Permission.EDIT_PRODUCTS, at=at)
        return _page(open_vouchers.on_product(found), **asked)


class WithdrawProduct(APIView):
    @extend_schema(
        operation_id="withdraw_product",
        summary="Take a product off every menu for good, and say what becomes of the vouchers that name it",
        request=WithdrawRequest,
        responses={
            200: ProductAnswer,
            **errors_of(NotAllowed, OpenVouchersNameProduct, ProductNotFound, SubstituteRefused),
        },
        tags=["products"],
        auth=only("staffToken", "apiKey"),
    )
    def post(self, request: Request, product: str) -> Response:
        """POST /api/v1/products/{product}/withdraw"""
        by, at = caller(request), timezone.now()
        found = product_for_caller(by, product, permission=Permission.EDIT_PRODUCTS, at=at)
        body = body_of(request, WithdrawRequest).validated_data
        given: dict[str, Any] = {"product_id": found.id, "reason": body["reason"], "by": by, "at": at}
        if body["vouchers"] == "substitute":
            withdrawn = withdrawing.withdraw_with_substitutes(substitute_ids=body["substitutes"], **given)
        elif body["vouchers"] == "refund":
            withdrawn = withdrawing.withdraw_with_refund(**given)
        else:
            withdrawn = withdrawing.withdraw(**given)
        return Response(ProductAnswer(withdrawn).data)


class StoreOnlyTerms(APIView):
    @extend_schema(
        operation_id="list_store_terms",
        summary="Terms that only this store still honours: their vouchers are given back when it closes",
        responses={200: OpenTermsList, **errors_of(NotAllowed, StoreNotFound)},
        tags=["stores"],
        auth=only("staffToken", "apiKey"),
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/only-here"""
        found = store_for_caller(caller(request), store, permission=Permission.EDIT_STORES, at=timezone.now())
        return Response(_shown(open_vouchers.only_at(found)))


class StoreOnlyVouchers(APIView):
    @extend_schema(
        operation_id="list_store_vouchers",
        summary="Open vouchers that only this store still honours, newest first",
        parameters=[OpenVouchersQuery],
        responses={200: OPEN_VOUCHERS, **errors_of(NotAllowed, StoreNotFound, TermsNotFound)},
        tags=["stores"],
        auth=only("staffToken", "apiKey"),
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/only-here/vouchers"""
        asked = query_of(request, OpenVouchersQuery).validated_data
        found = store_for_caller(caller(request), store, permission=Permission.EDIT_STORES, at=timezone.now())
        return _page(open_vouchers.only_at(found), **asked)


class Recalls(APIView):
    @extend_schema(
        operation_id="list_recalls",
        summary="Terms that can be met no more, and how many vouchers are still to be given back",
        parameters=[RecallsQuery],
        responses={200: page_schema(RecallAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["deals"],
        auth=only("staffToken", "apiKey"),
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/recalls"""
        asked = query_of(request, RecallsQuery).validated_data
        brand_id = brand_for_caller(
            caller(request), Permission.EDIT_DEALS, at=timezone.now(), brand=asked.pop("brand", None)
        )
        page = page_of(Recall.objects.filter(brand_id=brand_id), by="begun_at", **asked)
        left = open_vouchers.count_by_terms([recall.terms_id for recall in page.items])
        return Response(page.body(lambda recall: _shown_recall(recall, left.get(recall.terms_id, 0))))


def _shown(found: list[OpenTerms]) -> Any:
    items = [
        {
            "terms": one.terms.public_id,
            "deal": one.terms.deal.public_id,
            "title": one.terms.title,
            "open_vouchers": one.open_vouchers,
            "can_be_met": one.can_be_met,
        }
        for one in found
    ]
    return OpenTermsList({"open_vouchers": sum(one.open_vouchers for one in found), "items": items}).data


def _page(found: list[OpenTerms], *, terms: str, **asked: Any) -> Response:
    terms_id = parse(DealTerms.PREFIX, terms)
    if terms_id not in {one.terms.id for one in found}:
        raise TermsNotFound(param="terms")
    return Response(page_of(open_vouchers.open_vouchers([terms_id]), by="issued_at", **asked).body(_shown_voucher))


def _shown_voucher(voucher: Voucher) -> Any:
    return OpenVoucherAnswer(
        {
            "id": voucher.public_id,
            "customer": public(Customer.PREFIX, voucher.customer_id),
            "status": voucher.status,
            "uses_left": voucher.uses_left,
            "issued_at": voucher.issued_at,
            "valid_until": voucher.valid_until,
        }
    ).data


def _shown_recall(recall: Recall, left: int) -> Any:
    return RecallAnswer(
        {
            "id": recall.public_id,
            "terms": public(DealTerms.PREFIX, recall.terms_id),
            "cause": recall.cause,
            "subject": public(SUBJECTS[Recall.Cause(recall.cause)], recall.subject_id),
            "begun_at": recall.begun_at,
            "open_vouchers": left,
        }
    ).data
