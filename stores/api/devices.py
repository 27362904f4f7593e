"""Devices of a store, and clerks who switch on them by PIN."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config.accounts.models import User
from config.kernel import ids
from config.kernel.api.caller import caller_id, device_caller, staff_caller
from config.kernel.api.pages import PageQuery, page_of, page_schema
from config.kernel.api.schema import errors_of, only
from config.kernel.api.strict import StrictSerializer, body_of, query_of
from config.kernel.errors import MalformedId, NotAllowed
from stores import queries
from stores.api.shown import Nothing, PublicId
from stores.errors import DeviceNotFound, PinLocked, StoreIsClosed, StoreNotFound, WrongPin
from stores.models import Device
from stores.permissions import Permission
from stores.services import devices

MOST_CLERKS_SHOWN = 200


class DeviceAnswer(serializers.ModelSerializer[Device]):
    id = serializers.CharField(source="public_id", help_text="dev_…")
    store = PublicId("sto", source="store_id")
    bound_by = PublicId("usr", source="bound_by_id")

    class Meta:
        model = Device
        fields = ("id", "store", "name", "bound_by", "created_at", "ended_at", "pin_locked_until")


class DeviceWithKey(serializers.Serializer[Any]):
    device = DeviceAnswer()
    key = serializers.CharField(help_text="Shown this once: hxd_<kid>_<secret>.")


class NewDevice(StrictSerializer):
    name = serializers.CharField(max_length=64, help_text="收银台, 前台手机, …")


class ClerkOfDevice(serializers.Serializer[User]):
    user = serializers.CharField(source="public_id", help_text="usr_…")
    name = serializers.CharField(source="__str__")


class MyDevice(serializers.Serializer[Any]):
    id = serializers.CharField(source="device.public_id", help_text="dev_…")
    name = serializers.CharField(source="device.name")
    store = serializers.CharField(source="device.store.public_id", help_text="sto_…")
    store_name = serializers.CharField(source="device.store.name")
    clerks = ClerkOfDevice(many=True, help_text="The store's own people with a PIN.")


class PinEntry(StrictSerializer):
    user = PublicId("usr", source="user_id")
    pin = serializers.CharField(max_length=16)


class CounterSessionAnswer(serializers.Serializer[Any]):
    token = serializers.CharField(source="token.text", help_text="Works at this device's store and nowhere else.")
    expires_at = serializers.DateTimeField(source="token.expires_at")
    user = serializers.CharField(source="user.public_id", help_text="usr_…")
    name = serializers.CharField(source="user.__str__")


class StoreDevices(APIView):
    @extend_schema(
        operation_id="list_devices",
        summary="A store's devices, newest first, ended ones too",
        parameters=[PageQuery],
        responses={200: page_schema(DeviceAnswer), **errors_of(NotAllowed, StoreNotFound)},
        auth=only("staffToken"),
        tags=["devices"],
    )
    def get(self, request: Request, store: str) -> Response:
        """GET /api/v1/stores/{store}/devices"""
        asked = query_of(request, PageQuery).validated_data
        by, at = staff_caller(request), timezone.now()
        here = queries.store_for_caller(by, store, permission=Permission.BIND_DEVICES, at=at)
        page = page_of(Device.objects.filter(store=here), by="created_at", **asked)
        return Response(page.body(lambda device: DeviceAnswer(device).data))

    @extend_schema(
        operation_id="bind_device",
        summary="Bind a device to the store: its key is shown this once",
        description="Not repeatable: who lost the answer ends that device and binds it again.",
        request=NewDevice,
        responses={201: DeviceWithKey, **errors_of(NotAllowed, StoreIsClosed, StoreNotFound)},
        auth=only("staffToken"),
        tags=["devices"],
    )
    def post(self, request: Request, store: str) -> Response:
        """POST /api/v1/stores/{store}/devices"""
        by, at = staff_caller(request), timezone.now()
        new = body_of(request, NewDevice).validated_data
        bound = devices.bind(store=store, name=new["name"], by=by, at=at)
        return Response(DeviceWithKey(bound).data, status=201, headers={"Cache-Control": "no-store"})


class EndDevice(APIView):
    @extend_schema(
        operation_id="end_device",
        summary="End a device: its key and every session on it, at once",
        request=None,
        responses={200: DeviceAnswer, **errors_of(DeviceNotFound)},
        auth=only("staffToken"),
        tags=["devices"],
    )
    def post(self, request: Request, device: str) -> Response:
        """POST /api/v1/devices/{device}/end"""
        by = staff_caller(request)
        body_of(request, Nothing)
        ended = devices.end(device_id=ids.parse(Device.PREFIX, device), by=by, at=timezone.now())
        return Response(DeviceAnswer(ended).data)


class ThisDevice(APIView):
    @extend_schema(
        operation_id="show_own_device",
        summary="Where this device stands, and who may switch on it",
        responses={200: MyDevice},
        auth=only("deviceKey"),
        tags=["devices"],
    )
    def get(self, request: Request) -> Response:
        """GET /api/v1/devices/me"""
        device = Device.objects.select_related("store").get(id=caller_id(device_caller(request)))
        clerks = queries.clerks_of_device(device, at=timezone.now())[:MOST_CLERKS_SHOWN]
        return Response(MyDevice({"device": device, "clerks": clerks}).data)


class CounterSessions(APIView):
    @extend_schema(
        operation_id="switch_by_pin",
        summary="A clerk switches to herself on this device",
        request=PinEntry,
        responses={200: CounterSessionAnswer, **errors_of(MalformedId, PinLocked, WrongPin)},
        auth=only("deviceKey"),
        tags=["devices"],
    )
    def post(self, request: Request) -> Response:
        """POST /api/v1/devices/me/sessions"""
        device_id = caller_id(device_caller(request))
        given = body_of(request, PinEntry).validated_data
        session = devices.switch(device_id=device_id, at=timezone.now(), **given)
        return Response(CounterSessionAnswer(session).data, headers={"Cache-Control": "no-store"})
