"""Deals and their terms."""

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.ids import parse
from stores.errors import BrandNotFound, BrandRequired
from stores.permissions import Permission
from stores.queries import brand_for_caller, require_permission
from vouchers import errors
from vouchers.models import Deal, DealTerms
from vouchers.services import deals
from vouchers.services.deals import NewTerms
from vouchers.services.terms_check import MOST_CHILDREN

BRAND_HELP = "brd_…; only for people who serve several brands."
MOST_UNITS = 10**12
Fen = serializers.IntegerField


class DealBody(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)
    out_id = serializers.CharField(max_length=64, help_text="Your own name for it; unique in the brand.")
    kind = serializers.ChoiceField(choices=Deal.Kind.choices)
    name = serializers.CharField(max_length=128)
    total = serializers.IntegerField(min_value=0, max_value=MOST_UNITS, help_text="How many may ever be sold.")


class TotalBody(StrictSerializer):
    total = serializers.IntegerField(min_value=0, max_value=MOST_UNITS)


class DealsQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND_HELP)
    out_id = serializers.CharField(required=False, max_length=64)


class DealAnswer(serializers.Serializer[Deal]):
    id = serializers.CharField(source="public_id", help_text="dea_…")
    out_id = serializers.CharField()
    kind = serializers.ChoiceField(choices=Deal.Kind.choices)
    name = serializers.CharField()
    total = serializers.IntegerField(source="stock.total")
    free = serializers.IntegerField(source="stock.free", help_text="What no offer holds.")
    created_at = serializers.DateTimeField()


class TermsFields(StrictSerializer):
    """``DealTerms`` as the brand writes them down; docs/glossary.md explains the words."""

    title = serializers.CharField(max_length=128)
    list_price_fen = Fen()
    use_list_fen = serializers.ListField(
        child=Fen(), required=False, max_length=100, help_text="A times card's uses, each with its list price."
    )
    face_value_fen = Fen(required=False, allow_null=True)
    discount_rate_bps = serializers.IntegerField(required=False, allow_null=True, help_text="2000 is 20 % off.")
    discount_cap_fen = Fen(required=False, allow_null=True)
    package_groups = serializers.ListField(child=serializers.DictField(), required=False, max_length=100)
    bundle_children = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        max_length=MOST_CHILDREN,
        help_text='A bundle\'s vouchers: `{"terms": "trm_…", "count": 2}`; their list prices are frozen with it.',
    )
    min_spend_fen = Fen(required=False)
    usable_from = serializers.DateTimeField(required=False, allow_null=True)
    usable_until = serializers.DateTimeField(required=False, allow_null=True, help_text="Exclusive.")
    usable_days = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="Until midnight after so many days from the day of purchase; instead of the two dates.",
    )
    weekdays = serializers.ListField(
        child=serializers.IntegerField(),
        required=False,
        max_length=7,
        help_text="ISO: 1 is Monday; empty: every day.",
    )
    day_spans = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField(max_length=5), min_length=2, max_length=2),
        required=False,
        max_length=24,
        help_text='Hours at the store: [["18:00", "26:00"]] runs until 2 at night.',
    )
    blackout_dates = serializers.ListField(child=serializers.DateField(), required=False, max_length=1000)
    special_dates = serializers.ListField(
        child=serializers.DateField(),
        required=False,
        max_length=1000,
        help_text="Usable whatever the weekday or holiday rule says.",
    )
    holiday_rule = serializers.ChoiceField(
        choices=DealTerms.HolidayRule.choices, required=False, help_text="By your calendars, `/calendars`."
    )
    makeup_rule = serializers.ChoiceField(
        choices=DealTerms.MakeupRule.choices,
        required=False,
        help_text="What a day worked for a holiday counts as, against `weekdays`.",
    )
    store_scope = serializers.DictField(
        required=False,
        help_text='{"everywhere": true} or {"regions": […], "groups": […], "stores": […]}; minus except_….',
    )
    dearer_stores = serializers.ChoiceField(choices=DealTerms.DearerStores.choices, required=False)
    product_scope = serializers.DictField(
        required=False, help_text='{"everything": true} or {"categories": […], "products": ["prd_…"]}; minus except_….'
    )
    stacking_group = serializers.CharField(max_length=32, required=False, allow_blank=True)
    max_per_order = serializers.IntegerField(required=False, allow_null=True)
    refundable_unused = serializers.BooleanField(required=False)
    refunds_on_expiry = serializers.BooleanField(required=False)
    refund_returns_stock = serializers.BooleanField(required=False)
    settlement_rules = serializers.ListField(
        child=serializers.DictField(),
        required=False,
        max_length=100,
        help_text='What the stores\' entities get, the first rule for a store counts: `[{"share_bps": 9000}]`.'
        " docs/settlement.md has the words.",
    )


class TermsAnswer(serializers.ModelSerializer[DealTerms]):
    id = serializers.CharField(source="public_id", help_text="trm_…")
    deal = serializers.CharField(source="deal.public_id")

    class Meta:
        model = DealTerms
        fields = (
            *("id", "deal", "number", "title", "list_price_fen", "use_list_fen", "face_value_fen"),
            *("discount_rate_bps", "discount_cap_fen", "package_groups", "bundle_children", "min_spend_fen"),
            *("validity", "usable_from", "usable_until", "usable_days", "weekdays", "day_spans", "blackout_dates"),
            *("special_dates", "holiday_rule", "makeup_rule", "calendar_versions", "dearer_stores"),
            *("store_scope", "product_scope", "stacking_group", "max_per_order", "refundable_unused"),
            *("refunds_on_expiry", "refund_returns_stock", "settlement_rules", "published_at"),
        )


class Deals(APIView):
    """/api/v1/deals"""

    @extend_schema(
        operation_id="create_deal",
        summary="Make a deal; the same again is the same deal",
        request=DealBody,
        responses={
            200: DealAnswer,
            201: DealAnswer,
            **errors_of(errors.OutIdTaken, BrandNotFound, BrandRequired),
        },
        tags=["deals"],
    )
    def post(self, request: Request) -> Response:
        by, at = caller(request), timezone.now()
        body = body_of(request, DealBody).validated_data
        brand_id = brand_for_caller(by, Permission.EDIT_DEALS, at=at, brand=body.pop("brand", None))
        kind = Deal.Kind(body.pop("kind"))
        made = deals.create(brand_id=brand_id, kind=kind, by=by, at=at, **body)
        return Response(DealAnswer(made.row).data, status=201 if made.is_new else 200)

    @extend_schema(
        operation_id="list_deals",
        summary="A brand's deals, newest first",
        parameters=[DealsQuery],
        responses={200: page_schema(DealAnswer), **errors_of(BrandNotFound, BrandRequired)},
        tags=["deals"],
    )
    def get(self, request: Request) -> Response:
        asked = query_of(request, DealsQuery).validated_data
        brand = asked.pop("brand", None)
        brand_id = brand_for_caller(caller(request), Permission.EDIT_DEALS, at=timezone.now(), brand=brand)
        rows: QuerySet[Deal] = Deal.objects.filter(brand_id=brand_id).select_related("stock")
        if "out_id" in asked:
            rows = rows.filter(out_id=asked.pop("out_id"))
        page = page_of(rows, by="created_at", **asked)
        return Response(page.body(lambda deal: DealAnswer(deal).data))


class OneDeal(APIView):
    """/api/v1/deals/{deal}"""

    @extend_schema(
        operation_id="get_deal",
        summary="One deal",
        responses={200: DealAnswer, **errors_of(errors.DealNotFound)},
        tags=["deals"],
    )
    def get(self, request: Request, deal: str) -> Response:
        return Response(DealAnswer(deal_for_caller(request, deal)).data)


class DealTotal(APIView):
    """/api/v1/deals/{deal}/total"""

    @extend_schema(
        operation_id="change_deal_total",
        summary="Raise or lower how many may ever be sold",
        request=TotalBody,
        responses={200: DealAnswer, **errors_of(errors.DealNotFound, errors.DealStockExhausted)},
        tags=["deals"],
    )
    def put(self, request: Request, deal: str) -> Response:
        found = deal_for_caller(request, deal)
        total = body_of(request, TotalBody).validated_data["total"]
        changed = deals.change_total(deal=found, total=total, by=caller(request), at=timezone.now())
        return Response(DealAnswer(changed).data)


class DealTermsList(APIView):
    """/api/v1/deals/{deal}/terms"""

    @extend_schema(
        operation_id="publish_terms",
        summary="Freeze the deal's next terms; what equals the latest is the latest",
        request=TermsFields,
        responses={200: TermsAnswer, 201: TermsAnswer, **errors_of(errors.DealNotFound, errors.TermsInvalid)},
        tags=["deals"],
    )
    def post(self, request: Request, deal: str) -> Response:
        found = deal_for_caller(request, deal)
        new = NewTerms(**body_of(request, TermsFields).validated_data)
        made = deals.publish_terms(deal=found, new=new, by=caller(request), at=timezone.now())
        return Response(TermsAnswer(made.row).data, status=201 if made.is_new else 200)

    @extend_schema(
        operation_id="list_terms",
        summary="A deal's terms, newest first",
        parameters=[PageQuery],
        responses={200: page_schema(TermsAnswer), **errors_of(errors.DealNotFound)},
        tags=["deals"],
    )
    def get(self, request: Request, deal: str) -> Response:
        found = deal_for_caller(request, deal)
        asked = query_of(request, PageQuery).validated_data
        page = page_of(found.terms.select_related("deal"), by="published_at", **asked)
        return Response(page.body(lambda terms: TermsAnswer(terms).data))


def deal_for_caller(request: Request, deal: str) -> Deal:
    """
    A deal that the caller may edit.

    Raises:
        MalformedId, DealNotFound: not there for her.
        NotAllowed: there, and she may not.
    """
    found = Deal.objects.select_related("stock").filter(pk=parse(Deal.PREFIX, deal)).first()
    if found is None:
        raise errors.DealNotFound
    require_permission(
        caller(request), Permission.EDIT_DEALS, brand_id=found.brand_id, at=timezone.now(), missing=errors.DealNotFound
    )
    return found
