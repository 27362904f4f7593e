"""Signing in to the console: by password, by PIN, in a sheet over a page; whose store it is."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.test import Client

from stores.models import Device
from stores.services import devices
from tests import factories
from tests.stores import people
from tests.stores.people import PASSWORD, PIN, Shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def shop() -> Shop:
    shop = people.shop(name="滨江天街店")
    shop.manager.set_password(PASSWORD)
    shop.manager.save()
    return shop


def signed_in(shop: Shop) -> Client:
    client = Client()
    answer = client.post("/console/sign-in/", {"username": shop.manager.username, "password": PASSWORD})
    assert answer["Location"] == "/console/"
    return client


def test_who_has_not_signed_in_is_asked_to_and_comes_back(shop: Shop) -> None:
    answer = Client().get("/console/?x=1")

    assert answer["Location"] == "/console/sign-in/?next=%2Fconsole%2F%3Fx%3D1"


def test_a_clerk_of_one_store_stands_in_it_at_once(shop: Shop) -> None:
    assert "滨江天街店" in signed_in(shop).get("/console/").text


def test_a_wrong_password_keeps_the_name_and_says_so_in_words(shop: Shop) -> None:
    answer = Client().post("/console/sign-in/", {"username": shop.manager.username, "password": "wrong"})

    assert answer.status_code == 401
    assert "用户名或密码不正确" in answer.text
    assert shop.manager.username in answer.text
    assert "wrong_credentials" not in answer.text


def test_signing_in_leads_to_the_console_and_nowhere_else(shop: Shop) -> None:
    wanted = {"username": shop.manager.username, "password": PASSWORD, "next": "https://example.org/"}

    assert Client().post("/console/sign-in/", wanted)["Location"] == "/console/"


def test_who_serves_several_stores_chooses_one(shop: Shop) -> None:
    other = factories.store(shop.brand, name="江南大道店")
    factories.staff(shop.brand, role="store_manager", store=other, user=shop.manager)
    client = signed_in(shop)

    assert client.get("/console/")["Location"].startswith("/console/store/")
    assert "江南大道店" in client.get("/console/store/").text
    client.post("/console/store/", {"store": other.public_id})
    assert "江南大道店" in client.get("/console/").text


def test_anothers_store_cannot_be_chosen(shop: Shop) -> None:
    client = signed_in(shop)
    client.post("/console/store/", {"store": people.shop().store.public_id})

    assert client.get("/console/")["Location"].startswith("/console/store/")


def test_a_script_is_answered_with_a_sheet_and_then_goes_on(shop: Shop) -> None:
    client, script = Client(), {"HX-Request": "true"}

    asked = client.get("/console/", headers=script)
    assert (asked.status_code, asked["HX-Retarget"]) == (401, "#sheet-place")
    assert "输入的内容都在" in asked.text
    done = client.post("/console/sign-in/", {"username": shop.manager.username, "password": PASSWORD}, headers=script)
    assert (done.status_code, done["HX-Trigger"]) == (204, "signed-in")
    assert client.get("/console/").status_code == 200


def test_sessions_that_were_ended_speak_for_nobody(shop: Shop) -> None:
    client = signed_in(shop)
    shop.manager.sessions_from = datetime(2099, 1, 1, tzinfo=UTC)
    shop.manager.save()

    assert "/console/sign-in/" in client.get("/console/")["Location"]


def test_signing_out_forgets_her(shop: Shop) -> None:
    client = signed_in(shop)
    client.post("/console/sign-out/")

    assert "/console/sign-in/" in client.get("/console/")["Location"]


def test_a_form_of_another_site_is_refused(shop: Shop) -> None:
    client = Client(enforce_csrf_checks=True)

    answer = client.post("/console/sign-in/", {"username": shop.manager.username, "password": PASSWORD})

    assert answer.status_code == 403
    assert "页面放得太久了" in answer.text


@pytest.fixture
def device(shop: Shop) -> Client:
    """A phone that the manager made a device of the store."""
    client = Client()
    client.cookies["hexiao_device"] = devices.bind(
        store=shop.store.public_id, name="前台手机", by=people.caller(shop.manager), at=datetime.now(UTC)
    ).key
    return client


def pin_of(client: Client, user: Any, pin: str) -> Any:
    return client.post("/console/clerk/", {"user": user.public_id, "pin": pin})


def test_a_clerk_takes_over_by_pin(shop: Shop, device: Client) -> None:
    clerk = shop.clerk()

    assert "小林" in device.get("/console/clerk/").text
    assert pin_of(device, clerk.user, PIN)["Location"] == "/console/"
    page = device.get("/console/").text
    assert "滨江天街店" in page
    assert "小林" in page


def test_a_wrong_pin_is_refused_in_words(shop: Shop, device: Client) -> None:
    answer = pin_of(device, shop.clerk().user, "9999")

    assert answer.status_code in (401, 403, 422)
    assert "wrong_pin" not in answer.text
    assert 'role="alert"' in answer.text


def test_a_device_that_has_ended_lets_nobody_in(shop: Shop, device: Client) -> None:
    clerk = shop.clerk()
    pin_of(device, clerk.user, PIN)
    Device.objects.update(ended_at=datetime.now(UTC))

    assert "/console/sign-in/" in device.get("/console/")["Location"]
    assert device.get("/console/clerk/")["Location"] == "/console/sign-in/"
