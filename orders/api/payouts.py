"""Paying entities: where they are paid, batches, the bank's file out and its answer in."""

from contextlib import closing
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.kernel.api.caller import caller
from config.kernel.api.idempotency import idempotency_key
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import IdempotencyConflict, NotAllowed, RequestTooLarge, UnsupportedMediaType
from config.kernel.ids import parse, public
from orders import errors
from orders.models import BankAccount, Payout, PayoutBatch
from orders.services import bank_accounts, payout_results, payouts
from stores.api.csv_upload import CsvParser, uploaded
from stores.errors import (
    BrandNotFound,
    BrandRequired,
    EntityNotFound,
    HeadingAmbiguous,
    HeadingsIncomplete,
    ListEmpty,
    ListEncodingUnknown,
)
from stores.models import SettlementEntity
from stores.permissions import Permission
from stores.queries import brand_for_caller, require_permission

BRAND = "brd_…, where you serve several."


class BankAccountBody(StrictSerializer):
    holder = serializers.CharField(max_length=128)
    bank = serializers.CharField(max_length=128)
    number = serializers.CharField(max_length=64, help_text="8 to 30 digits; never shown again.")


class BankAccountAnswer(serializers.ModelSerializer[BankAccount]):
    id = serializers.CharField(source="public_id", help_text="bac_…")
    number = serializers.SerializerMethodField(help_text="Its last four digits.")

    class Meta:
        model = BankAccount
        fields = ("id", "holder", "bank", "number", "set_at")

    def get_number(self, account: BankAccount) -> str:
        return f"**** {account.last_four}"


class BatchBody(StrictSerializer):
    brand = serializers.CharField(required=False, help_text=BRAND)
    least_fen = serializers.IntegerField(min_value=1, max_value=10**12, default=1, help_text="Less waits.")


class BatchAnswer(serializers.ModelSerializer[PayoutBatch]):
    id = serializers.CharField(source="public_id", help_text="pob_…")

    class Meta:
        model = PayoutBatch
        fields = ("id", "least_fen", "made_at")


class PayoutAnswer(serializers.ModelSerializer[Payout]):
    id = serializers.CharField(source="public_id", help_text="pot_…")
    entity = serializers.SerializerMethodField(help_text="ent_…")

    class Meta:
        model = Payout
        fields = (
            "id", "entity", "amount_fen", "status", "reason", "bank_words", "bank_reference", "made_at", "ended_at",
            "returned_at",
        )  # fmt: skip

    def get_entity(self, payout: Payout) -> str:
        return public(SettlementEntity.PREFIX, payout.entity_id)


class AppliedAnswer(serializers.Serializer[Any]):
    paid = serializers.IntegerField()
    failed = serializers.IntegerField()
    returned = serializers.IntegerField(help_text="Paid before, and back from the bank.")
    known = serializers.IntegerField(help_text="Rows that said what was known.")


class BatchesQuery(PageQuery):
    brand = serializers.CharField(required=False, help_text=BRAND)


class PayoutsQuery(PageQuery):
    status = serializers.ChoiceField(choices=Payout.Status.choices, required=False)


class EntityBankAccount(APIView):
    @extend_schema(
        operation_id="get_bank_account",
        summary="Where an entity is paid, its number masked",
        responses={200: BankAccountAnswer, **errors_of(EntityNotFound, NotAllowed, errors.BankAccountNotFound)},
        tags=["payouts"],
    )
    def get(self, request: Request, entity: str) -> Response:
        """GET /api/v1/entities/{entity}/bank-account"""
        found = _entity_of(request, entity, Permission.VIEW_PAYOUTS)
        account = bank_accounts.current(found.id)
        if account is None:
            raise errors.BankAccountNotFound
        return Response(BankAccountAnswer(account).data)

    @extend_schema(
        operation_id="keep_bank_account",
        summary="From now on the entity is paid there",
        request=BankAccountBody,
        responses={200: BankAccountAnswer, **errors_of(EntityNotFound, NotAllowed, errors.BankNumberUnreadable)},
        tags=["payouts"],
    )
    def put(self, request: Request, entity: str) -> Response:
        """PUT /api/v1/entities/{entity}/bank-account"""
        found = _entity_of(request, entity, Permission.PAY_OUT)
        said = body_of(request, BankAccountBody).validated_data
        account = bank_accounts.keep(
            brand_id=found.brand_id, entity_id=found.id, by=caller(request), at=timezone.now(), **said
        )
        return Response(BankAccountAnswer(account).data)


class Batches(APIView):
    @extend_schema(
        operation_id="list_payout_batches",
        summary="Payout batches, newest first",
        parameters=[BatchesQuery],
        responses={200: page_schema(BatchAnswer), **errors_of(BrandNotFound, BrandRequired, NotAllowed)},
        tags=["payouts"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/payout-batches"""
        asked = query_of(request, BatchesQuery).validated_data
        brand_id = brand_for_caller(
            caller(request), Permission.VIEW_PAYOUTS, at=timezone.now(), brand=asked.pop("brand", None)
        )
        page = page_of(PayoutBatch.objects.filter(brand_id=brand_id), by="made_at", **asked)
        return Response(page.body(lambda batch: BatchAnswer(batch).data))

    @extend_schema(
        operation_id="make_payout_batch",
        summary="One payout for every entity whose balance is not zero",
        description="Paid, or withheld (no bank account, below `least_fen`), or offset (it owes): each says which.",
        request=BatchBody,
        responses={
            201: BatchAnswer,
            200: BatchAnswer,
            **errors_of(BrandNotFound, BrandRequired, IdempotencyConflict, NotAllowed),
        },
        tags=["payouts"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/payout-batches"""
        by, at = caller(request), timezone.now()
        asked = body_of(request, BatchBody).validated_data
        brand_id = brand_for_caller(by, Permission.PAY_OUT, at=at, brand=asked.get("brand"))
        made = payouts.make_batch(
            brand_id=brand_id, least_fen=asked["least_fen"], request_id=idempotency_key(request), by=by, at=at
        )
        return Response(BatchAnswer(made.row).data, status=201 if made.is_new else 200)


class BatchPayouts(APIView):
    @extend_schema(
        operation_id="list_payouts",
        summary="What a batch does about each entity, and what became of it",
        parameters=[PayoutsQuery],
        responses={200: page_schema(PayoutAnswer), **errors_of(NotAllowed, errors.PayoutBatchNotFound)},
        tags=["payouts"],
    )
    def get(self, request: Request, batch: str) -> Response:
        """GET /api/v1/payout-batches/{batch}/payouts"""
        found = _batch_of(request, batch, Permission.VIEW_PAYOUTS)
        asked = query_of(request, PayoutsQuery).validated_data
        rows = Payout.objects.filter(batch=found)
        if (status := asked.pop("status", None)) is not None:
            rows = rows.filter(status=status)
        return Response(page_of(rows, by="made_at", **asked).body(lambda payout: PayoutAnswer(payout).data))


class BatchFile(APIView):
    @extend_schema(
        operation_id="get_payout_file",
        summary="The pending payouts as CSV for the bank, with whole account numbers",
        responses={
            (200, "text/csv"): OpenApiResponse(OpenApiTypes.STR),
            **errors_of(NotAllowed, errors.PayoutBatchNotFound),
        },
        tags=["payouts"],
    )
    def get(self, request: Request, batch: str) -> StreamingHttpResponse:
        """GET /api/v1/payout-batches/{batch}/file"""
        found = _batch_of(request, batch, Permission.PAY_OUT)
        lines = payouts.bank_file(found, by=caller(request), at=timezone.now())
        response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        response["Content-Disposition"] = f'attachment; filename="{found.public_id}.csv"'
        return response


class BatchResults(APIView):
    parser_classes = (CsvParser,)

    @extend_schema(
        operation_id="take_payout_results",
        summary="The bank's answer: paid, failed, or returned (退票) after it was paid; all rows or none",
        request={"text/csv": OpenApiTypes.STR},
        responses={
            200: AppliedAnswer,
            **errors_of(
                HeadingAmbiguous,
                HeadingsIncomplete,
                ListEmpty,
                ListEncodingUnknown,
                NotAllowed,
                RequestTooLarge,
                UnsupportedMediaType,
                errors.PayoutBatchNotFound,
                errors.ResultFileRefused,
            ),
        },
        tags=["payouts"],
    )
    def post(self, request: Request, batch: str) -> Response:
        """POST /api/v1/payout-batches/{batch}/results"""
        found = _batch_of(request, batch, Permission.PAY_OUT)
        with closing(uploaded(request)) as source:
            applied = payout_results.apply(batch=found, source=source, by=caller(request), at=timezone.now())
        return Response(AppliedAnswer(applied).data)


def _entity_of(request: Request, entity: str, permission: Permission) -> SettlementEntity:
    found = SettlementEntity.objects.filter(id=parse(SettlementEntity.PREFIX, entity)).first()
    if found is None:
        raise EntityNotFound
    _require(request, permission, found.brand_id, EntityNotFound)
    return found


def _batch_of(request: Request, batch: str, permission: Permission) -> PayoutBatch:
    found = PayoutBatch.objects.filter(id=parse(PayoutBatch.PREFIX, batch)).first()
    if found is None:
        raise errors.PayoutBatchNotFound
    _require(request, permission, found.brand_id, errors.PayoutBatchNotFound)
    return found


def _require(request: Request, permission: Permission, brand_id: UUID, missing: Any) -> None:
    require_permission(caller(request), permission, brand_id=brand_id, at=timezone.now(), missing=missing)
