"""The JSON edge of stores: what each caller may do, and what answers look like."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from config.accounts import tokens
from config.accounts.models import User
from config.kernel.caller import Caller, CallerKind
from stores.api.authentication import known_keys
from stores.models import ApiClient, Brand, Customer, Product, Region, Staff, Store
from stores.permissions import Permission, Role, roles_with, scopes_with
from stores.services import api_clients
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

Scope = ApiClient.Scope
PASSWORD = "qingyu-7-green-leaves"


@pytest.fixture(autouse=True)
def _light() -> None:
    known_keys.forget()


@dataclass
class Api:
    """Calls as one caller."""

    token: str
    client: Client = field(default_factory=Client)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        content: dict[str, Any] = {"data": body, "content_type": "application/json"}
        if body is None:
            content = {} if method == "GET" else {"data": "", "content_type": "application/json"}
        return getattr(self.client, method.lower())(
            f"/api/v1/{path}", headers={"Authorization": f"Bearer {self.token}", **headers}, **content
        )

    def code(self, method: str, path: str, body: Any = None) -> str:
        answer = self(method, path, body)
        return answer.json()["error"]["code"] if answer.status_code >= 400 else "ok"


class Chain:
    """A brand with a store in a region, held by a franchisee, and somebody of each role around it."""

    def __init__(self) -> None:
        self.brand = factories.brand()
        self.region = Region.objects.create(brand=self.brand, code="ZJ", name="浙江")
        self.entity = factories.entity(self.brand, kind="franchisee")
        self.store = factories.store(self.brand, entity=self.entity, region=self.region)
        self.other_store = factories.store(self.brand)
        self.clerk = factories.staff(self.brand, store=self.store)
        self.program = self.key(self.brand)
        self.product = factories.product(self.brand)
        self.group = factories.option_group(self.brand, self.product)
        self.option = self.group.options.get(code="大杯")

    def staff(self, role: Role) -> Api:
        place: dict[str, Any] = {}
        if role is Role.REGION_SUPERVISOR:
            place = {"region": self.region}
        elif role is Role.FRANCHISEE:
            place = {"entity": self.entity}
        elif role in {Role.STORE_MANAGER, Role.CLERK}:
            place = {"store": self.store}
        row = factories.staff(self.brand, role=role, **place)
        return Api(tokens.sign_staff(user_id=row.user_id, at=datetime.now(UTC)).text)

    def key(self, brand: Brand, *scopes: Scope) -> ApiClient:
        return self.issue(brand, *scopes).client

    def issue(self, brand: Brand, *scopes: Scope) -> api_clients.IssuedKey:
        by = Caller(kind=CallerKind.OPERATOR, id=None)
        return api_clients.create(
            brand_id=brand.id, name="程序", scopes=scopes or [Scope.REPORTS], by=by, at=datetime.now(UTC)
        )

    def program_with(self, *scopes: Scope) -> Api:
        return Api(self.issue(self.brand, *scopes).key)

    def customer(self) -> Api:
        customer = factories.customer(self.brand)
        return Api(tokens.sign_customer(customer_id=customer.id, brand_id=self.brand.id, at=datetime.now(UTC)).text)


@pytest.fixture
def chain() -> Chain:
    return Chain()


def operations(chain: Chain) -> list[tuple[Permission, str, str, Any]]:
    """Every operation that is a matter of permission, on ``chain``'s own rows."""
    store = f"stores/{chain.store.public_id}"
    return [
        (Permission.EDIT_BRAND, "PATCH", f"brands/{chain.brand.public_id}", {"name": "青屿"}),
        (Permission.VIEW_STORES, "GET", "regions", None),
        (Permission.EDIT_STORES, "POST", "regions", {"code": "HZ", "name": "杭州"}),
        (Permission.EDIT_STORES, "PATCH", f"regions/{chain.region.public_id}", {"name": "浙江省"}),
        (Permission.VIEW_ENTITIES, "GET", "entities", None),
        (Permission.EDIT_ENTITIES, "POST", "entities", {"code": "E1", "name": "公司", "kind": "company"}),
        (Permission.EDIT_ENTITIES, "PATCH", f"entities/{chain.entity.public_id}", {"name": "新名"}),
        (Permission.VIEW_ENTITIES, "GET", f"{store}/entities", None),
        (
            Permission.EDIT_ENTITIES,
            "POST",
            f"{store}/entities",
            {"entity": chain.entity.public_id, "from_date": "2099-01-01"},
        ),
        (Permission.VIEW_STORES, "GET", "stores", None),
        (Permission.VIEW_STORES, "GET", store, None),
        (Permission.EDIT_STORES, "POST", "stores", {"code": "N1", "name": "新店"}),
        (Permission.EDIT_STORES, "PATCH", store, {"address": "滨江区"}),
        (Permission.PAUSE_STORES, "POST", f"{store}/pause", {"reason": "停电"}),
        (Permission.PAUSE_STORES, "POST", f"{store}/reopen", {}),
        *product_operations(chain, store),
        (Permission.EDIT_STORES, "POST", f"{store}/close", {"reason": "租约到期"}),
        (Permission.EDIT_API_CLIENTS, "GET", "api-clients", None),
        (Permission.EDIT_API_CLIENTS, "POST", "api-clients", {"name": "收银", "scopes": ["redeeming"]}),
        (Permission.EDIT_API_CLIENTS, "POST", f"api-clients/{chain.program.public_id}/revoke", {}),
    ]


def product_operations(chain: Chain, store: str) -> list[tuple[Permission, str, str, Any]]:
    product, option = f"products/{chain.product.public_id}", f"options/{chain.option.public_id}"
    size = {"code": "size", "name": "规格", "choose_least": 1}
    return [
        (Permission.VIEW_STORES, "GET", "products", None),
        (Permission.EDIT_PRODUCTS, "POST", "products", {"code": "P9", "name": "椰青", "price_fen": 1_500}),
        (Permission.VIEW_STORES, "GET", product, None),
        (Permission.EDIT_PRODUCTS, "PATCH", product, {"name_en": "Jasmine Grape"}),
        (Permission.VIEW_STORES, "GET", "option-groups", None),
        (Permission.EDIT_PRODUCTS, "POST", "option-groups", size),
        (Permission.EDIT_PRODUCTS, "PATCH", f"option-groups/{chain.group.public_id}", {"name": "杯型"}),
        (
            Permission.EDIT_PRODUCTS,
            "POST",
            f"option-groups/{chain.group.public_id}/options",
            {"code": "L", "name": "超大杯", "price_delta_fen": 800},
        ),
        (Permission.EDIT_PRODUCTS, "PATCH", option, {"price_delta_fen": 600}),
        (Permission.MARK_SOLD_OUT, "POST", f"{store}/{product}/sold-out", {}),
        (Permission.MARK_SOLD_OUT, "POST", f"{store}/{product}/back", {}),
        (Permission.EDIT_PRODUCTS, "PUT", f"{store}/{product}/price", {"price_fen": 2_100}),
        (Permission.MARK_SOLD_OUT, "PUT", f"{store}/{product}/stock", {"mode": "counted", "on_hand": 5}),
        (Permission.MARK_SOLD_OUT, "POST", f"{store}/{option}/sold-out", {}),
        (Permission.MARK_SOLD_OUT, "POST", f"{store}/{option}/back", {}),
        (Permission.EDIT_PRODUCTS, "PUT", f"{store}/{option}/price", {"price_delta_fen": 300}),
        (Permission.EDIT_PRODUCTS, "POST", f"{option}/withdraw", {}),
    ]


@pytest.mark.parametrize("role", list(Role))
def test_each_role_does_what_the_table_says(chain: Chain, role: Role) -> None:
    api = chain.staff(role)

    for permission, method, path, body in operations(chain):
        expected = "ok" if role in roles_with(permission) else "not_allowed"
        assert (method, path, api.code(method, path, body)) == (method, path, expected)


@pytest.mark.parametrize("scope", list(Scope))
def test_each_scope_does_what_the_table_says(chain: Chain, scope: Scope) -> None:
    api = chain.program_with(scope)

    for permission, method, path, body in operations(chain):
        expected = "ok" if scope in scopes_with(permission) else "not_allowed"
        assert (method, path, api.code(method, path, body)) == (method, path, expected)


def test_to_another_brands_people_and_programs_nothing_is_there(chain: Chain) -> None:
    theirs = Chain()
    owner, program = theirs.staff(Role.OWNER), theirs.program_with(*Scope)

    for _, method, path, body in operations(chain):
        if "_" not in path:
            continue  # a list or a new row: their own brand's
        assert owner.code(method, path, body).endswith("_not_found"), path
        assert program.code(method, path, body).endswith(("_not_found", "not_allowed")), path
    assert owner.code("POST", f"staff/{chain.clerk.public_id}/end", {}) == "staff_not_found"
    assert owner.code("GET", f"stores?brand={chain.brand.public_id}") == "brand_not_found"
    assert program.code("GET", f"stores?brand={chain.brand.public_id}") == "brand_not_found"
    listed = {item["id"] for item in owner("GET", "stores").json()["items"]}
    assert listed == {theirs.store.public_id, theirs.other_store.public_id}


def test_a_customer_and_a_stranger_do_none_of_it(chain: Chain) -> None:
    customer, nobody = chain.customer(), Api("")

    for _, method, path, body in operations(chain):
        assert customer.code(method, path, body) == "not_allowed", path
        assert nobody.code(method, path, body) == "not_signed_in", path


@pytest.mark.parametrize("role", [Role.REGION_SUPERVISOR, Role.FRANCHISEE, Role.STORE_MANAGER, Role.CLERK])
def test_a_role_below_the_brand_sees_its_own_stores_only(chain: Chain, role: Role) -> None:
    api = chain.staff(role)

    assert [item["id"] for item in api("GET", "stores").json()["items"]] == [chain.store.public_id]
    for method, path, body in (
        ("GET", f"stores/{chain.other_store.public_id}", None),
        ("POST", f"stores/{chain.other_store.public_id}/pause", {"reason": "x"}),
    ):
        assert api.code(method, path, body) == "store_not_found"


def test_a_store_opens_edits_and_answers_in_one_shape(chain: Chain) -> None:
    api = chain.program_with(Scope.CATALOG)
    new = {
        "code": "HZ001",
        "name": "江南大道店",
        "city": "杭州市",
        "region": chain.region.public_id,
        "latitude": 30.2,
        "longitude": "120.21",
        "hours": {"1": [["10:00", "26:00"]]},
        "entity": chain.entity.public_id,
    }

    first, again = api("POST", "stores", new), api("POST", "stores", new)

    assert (first.status_code, again.status_code) == (201, 200)
    shown = first.json()
    assert again.json() == shown
    assert {name: shown[name] for name in ("code", "latitude", "longitude", "region", "zone", "status")} == {
        "code": "HZ001",
        "latitude": 30.2,
        "longitude": 120.21,
        "region": chain.region.public_id,
        "zone": "Asia/Shanghai",
        "status": "open",
    }
    path = f"stores/{shown['id']}"
    assert api("GET", f"{path}/entities").json()["items"][0]["entity"] == chain.entity.public_id
    assert api("PATCH", path, {"region": None, "name": "新名"}).json()["region"] is None
    assert api("GET", path).json()["name"] == "新名"
    assert api.code("POST", "stores", {**new, "name": "别的"}) == "code_taken"


@pytest.mark.parametrize(
    ("method", "path", "body", "code"),
    [
        ("POST", "stores", {"code": "A"}, "malformed_request"),
        ("POST", "stores", {"code": "A", "name": "店", "colour": "绿"}, "unknown_parameter"),
        ("POST", "stores", {"code": "A", "name": "店", "latitude": 91, "longitude": 1}, "malformed_request"),
        ("POST", "stores", {"code": "A", "name": "店", "latitude": 9}, "place_incomplete"),
        ("POST", "stores", {"code": "A", "name": "店", "zone": "Mars"}, "zone_unknown"),
        ("POST", "stores", {"code": "A", "name": "店", "hours": {"8": []}}, "store_hours_invalid"),
        ("POST", "stores", {"code": "A", "name": "店", "region": "sto_1"}, "malformed_id"),
        ("POST", "stores", {"code": "A", "name": "店", "region": 7}, "malformed_id"),
        ("POST", "stores", {"code": "A", "name": "店\x00"}, "malformed_request"),
        ("POST", "stores", [], "malformed_request"),
        ("GET", "stores?colour=绿", None, "unknown_parameter"),
        ("GET", "stores?limit=101", None, "malformed_request"),
        ("GET", "stores?cursor=x", None, "malformed_request"),
        ("GET", "stores/sto_1", None, "malformed_id"),
        ("DELETE", "stores", None, "method_not_allowed"),
        ("POST", "api-clients/api_1/revoke", None, "not_allowed"),
    ],
)
def test_what_is_not_as_documented_is_refused(chain: Chain, method: str, path: str, body: Any, code: str) -> None:
    assert chain.program_with(Scope.CATALOG).code(method, path, body) == code


def test_stores_are_paged_searched_and_narrowed(chain: Chain) -> None:
    api = chain.program_with(Scope.CATALOG)
    Store.objects.all().update(city="上海市", name="别处")
    for number in range(5):
        factories.store(chain.brand, code=f"HZ{number}", name=f"湖滨{number}店", name_en="Lakeside")
    factories.store(factories.brand(), code="HZ9", name="湖滨9店")

    def codes(query: str) -> list[str]:
        found, cursor = [], ""
        while cursor is not None:
            page = api("GET", f"stores?limit=2&{query}{cursor and f'&cursor={cursor}'}").json()
            assert len(page["items"]) <= 2
            found += [item["code"] for item in page["items"]]
            cursor = page["next"]
        return sorted(found)

    hangzhou = [f"HZ{number}" for number in range(5)]
    assert codes("city=杭州市") == codes("search=湖滨") == codes("search=lakeside") == codes("search=hz") == hangzhou
    assert codes("search=湖滨3") == ["HZ3"]
    assert codes("search=%25") == []
    assert len(codes("")) == 7
    api("POST", f"stores/{Store.objects.get(code='HZ1', brand=chain.brand).public_id}/pause", {"reason": "停电"})
    assert codes("status=paused") == ["HZ1"]


def test_my_brands_are_those_i_serve(chain: Chain) -> None:
    second = factories.brand()
    owner = chain.staff(Role.OWNER)
    factories.staff(second, role="owner", user=User.objects.latest("created_at"))

    ids = {item["id"] for item in owner("GET", "brands/me").json()["items"]}

    assert ids == {chain.brand.public_id, second.public_id}
    for api in (chain.program_with(Scope.REPORTS), chain.customer()):
        assert [item["id"] for item in api("GET", "brands/me").json()["items"]] == [chain.brand.public_id]
    assert owner.code("GET", "regions") == "brand_required"
    assert owner.code("GET", f"regions?brand={second.public_id}") == "ok"
    assert owner.code("POST", "regions", {"code": "X", "name": "X", "brand": second.public_id}) == "ok"
    assert Region.objects.get(code="X").brand == second


def test_regions_move_and_never_circle(chain: Chain) -> None:
    api = chain.staff(Role.OPERATOR)
    below = api("POST", "regions", {"code": "HZ", "name": "杭州", "parent": chain.region.public_id}).json()

    assert below["parent"] == chain.region.public_id
    assert api.code("PATCH", f"regions/{chain.region.public_id}", {"parent": below["id"]}) == "regions_would_circle"
    assert api("PATCH", f"regions/{below['id']}", {"parent": None}).json()["parent"] is None
    assert [item["code"] for item in api("GET", "regions").json()["items"]] == ["HZ", "ZJ"]


def test_an_appointed_clerk_signs_in_and_an_ended_one_reaches_nothing(chain: Chain) -> None:
    manager = chain.staff(Role.STORE_MANAGER)
    new = {
        "username": "xiaoqing",
        "name": "小青",
        "password": PASSWORD,
        "role": "clerk",
        "store": chain.store.public_id,
    }

    appointed = manager("POST", "staff", new)
    assert appointed.status_code == 201
    assert "password" not in appointed.json()
    assert manager("POST", "staff", new).status_code == 200
    signed_in = Client().post(
        "/api/v1/staff/sign-in", {"username": "xiaoqing", "password": PASSWORD}, content_type="application/json"
    )
    clerk = Api(signed_in.json()["token"])
    assert [item["id"] for item in clerk("GET", "stores").json()["items"]] == [chain.store.public_id]

    staff = f"staff/{appointed.json()['id']}"
    assert manager.code("POST", f"{staff}/password", {"password": "1"}) == "password_too_weak"
    assert manager.code("POST", f"{staff}/password", {"password": "eleven-cups-of-tea"}) == "ok"
    assert manager.code("POST", f"{staff}/end", {"reason": "x"}) == "unknown_parameter"
    assert manager("POST", f"{staff}/end").json()["ended_at"] is not None
    assert clerk("GET", "stores").json()["items"] == []
    assert clerk.code("GET", f"stores/{chain.store.public_id}") == "store_not_found"


def test_the_list_of_staff_ends_where_ones_reach_does(chain: Chain) -> None:
    elsewhere = factories.staff(chain.brand, store=chain.other_store)
    abroad = factories.staff(factories.brand(), role="owner")

    def seen(role: Role, query: str = "") -> set[str]:
        return {item["id"] for item in chain.staff(role)("GET", f"staff?{query}").json()["items"]}

    assert {chain.clerk.public_id, elsewhere.public_id} <= seen(Role.OWNER)
    assert abroad.public_id not in seen(Role.OWNER)
    for role in (Role.STORE_MANAGER, Role.FRANCHISEE, Role.REGION_SUPERVISOR):
        assert chain.clerk.public_id in seen(role)
        assert elsewhere.public_id not in seen(role)
        stores = Staff.objects.filter(id__in=[public[4:] for public in seen(role)]).values_list("store_id", flat=True)
        assert set(stores) == {chain.store.id}
    assert seen(Role.CLERK) == seen(Role.FINANCE) == set()
    assert seen(Role.OWNER, f"role=clerk&store={chain.other_store.public_id}") == {elsewhere.public_id}
    Staff.objects.filter(id=elsewhere.id).update(ended_at=datetime.now(UTC))
    assert elsewhere.public_id not in seen(Role.OWNER)
    assert elsewhere.public_id in seen(Role.OWNER, "with_ended=true")


def test_a_program_neither_sees_nor_appoints_people(chain: Chain) -> None:
    program = chain.program_with(*Scope)

    assert program.code("GET", "staff") == "not_allowed"
    assert program.code("POST", "staff", {}) == "not_allowed"


def test_a_brands_server_signs_its_customer_in(chain: Chain) -> None:
    server = chain.program_with(Scope.CUSTOMERS)

    first = server("POST", "customers/token", {"external_id": "u-1", "phone": "13812345678"})
    again = server("POST", "customers/token", {"external_id": "u-1"})

    assert (first.status_code, again.status_code) == (201, 200)
    assert first["Cache-Control"] == "no-store"
    assert (first.json()["customer"], first.json()["phone"]) == (Customer.objects.get().public_id, "****5678")
    assert again.json()["phone"] == "****5678"
    assert "13812345678" not in first.content.decode()
    hers = Api(first.json()["token"])
    assert [item["id"] for item in hers("GET", "brands/me").json()["items"]] == [chain.brand.public_id]
    assert server.code("POST", "customers/token", {"external_id": "u-1", "phone": "1"}) == "phone_invalid"
    assert server.code("POST", "customers/token", {"external_id": "u\n1"}) == "malformed_request"
    assert server.code("POST", "customers/token", {"external_id": "u" * 129}) == "malformed_request"


def test_only_a_key_for_customers_signs_them_in(chain: Chain) -> None:
    body = {"external_id": "u-1"}
    others = chain.program_with(*(scope for scope in Scope if scope is not Scope.CUSTOMERS))

    for api in (others, chain.staff(Role.OWNER), chain.customer()):
        assert api.code("POST", "customers/token", body) == "not_allowed"
    assert Api("").code("POST", "customers/token", body) == "not_signed_in"


def test_a_key_is_shown_once_and_revoked_at_once(chain: Chain) -> None:
    owner = chain.staff(Role.OWNER)

    made = owner("POST", "api-clients", {"name": "小程序", "scopes": ["customers"]})

    assert made.status_code == 201
    assert made["Cache-Control"] == "no-store"
    program = Api(made.json()["key"])
    assert program.code("POST", "customers/token", {"external_id": "u-1"}) == "ok"
    listed = owner("GET", "api-clients")
    assert made.json()["client"]["id"] in {item["id"] for item in listed.json()["items"]}
    assert made.json()["key"] not in listed.content.decode()
    assert owner.code("POST", f"api-clients/{made.json()['client']['id']}/revoke", {}) == "ok"
    assert program.code("POST", "customers/token", {"external_id": "u-1"}) == "not_signed_in"
    assert owner.code("POST", "api-clients", {"name": "x", "scopes": ["everything"]}) == "malformed_request"
    assert owner.code("POST", f"api-clients/api_{uuid4().hex}/revoke", {}) == "api_client_not_found"


LIST = "店铺,城市\n江南大道店,杭州市\n湖滨店,杭州市\n".encode("gbk")


def post_list(api: Api, body: bytes, query: str = "", content_type: str = "text/csv") -> Any:
    return api.client.post(
        f"/api/v1/stores/imports?{query}",
        body,
        content_type=content_type,
        headers={"Authorization": f"Bearer {api.token}"},
    )


def test_a_list_of_stores_is_rehearsed_and_taken_over(chain: Chain) -> None:
    api = chain.staff(Role.OPERATOR)

    rehearsed = post_list(api, LIST, "dry_run=true&map=name=店铺")
    assert not Store.objects.filter(city="杭州市", code__startswith="HZ-").exists()
    taken = post_list(api, LIST, "map=name=店铺")
    again = post_list(api, LIST, "map=name=店铺")

    assert rehearsed.status_code == taken.status_code == 200
    assert {**rehearsed.json(), "dry_run": False} == taken.json()
    assert (taken.json()["created"], again.json()["created"], again.json()["unchanged"]) == (2, 0, 2)
    assert taken.json()["encoding"] == "gb18030"
    assert [row["line"] for row in taken.json()["derived"]] == [2, 3]


def test_a_list_with_a_fault_names_its_lines(chain: Chain) -> None:
    answer = post_list(chain.program_with(Scope.CATALOG), "名称,纬度,经度\n一店,,\n,1,1\n三店,x,1\n".encode())

    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "store_file_refused"
    assert [(row["line"], row["code"]) for row in error["details"]["problems"]] == [
        (3, "name_missing"),
        (4, "not_a_coordinate"),
    ]


def test_a_list_is_bounded_and_of_its_kind(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    api = chain.program_with(Scope.CATALOG)

    def code(*arguments: Any) -> str:
        return str(post_list(api, *arguments).json()["error"]["code"])

    assert code(b"") == "list_empty"
    assert code(LIST) == "headings_incomplete"
    assert code(LIST, "map=店铺") == "malformed_request"
    assert code(LIST, "", "application/json") == "unsupported_media_type"
    assert str(post_list(chain.staff(Role.CLERK), LIST).json()["error"]["code"]) == "not_allowed"
    monkeypatch.setattr("stores.api.csv_upload.BYTES_AT_MOST", len(LIST) - 1)
    assert code(LIST, "map=name=店铺") == "request_too_large"
    monkeypatch.setattr("stores.api.csv_upload.BYTES_AT_MOST", len(LIST))
    assert post_list(api, LIST, "map=name=店铺").status_code == 200


MENU = "id,分类,品名,售价\n1,茶,绿妍,16\n2,加料,珍珠,2\n3,提示,过敏原,9999\n".encode("gbk")


def post_menu(api: Api, body: bytes, query: str = "") -> Any:
    return api.client.post(
        f"/api/v1/products/imports?{query}",
        body,
        content_type="text/csv",
        headers={"Authorization": f"Bearer {api.token}"},
    )


def test_a_menu_is_rehearsed_and_taken_over(chain: Chain) -> None:
    api = chain.staff(Role.OPERATOR)

    rehearsed = post_menu(api, MENU, "dry_run=true")
    assert not Product.objects.filter(name="绿妍").exists()
    taken, again = post_menu(api, MENU), post_menu(api, MENU)

    assert rehearsed.status_code == taken.status_code == 200
    assert {**rehearsed.json(), "dry_run": False} == taken.json()
    assert [(row["line"], row["flag"]) for row in taken.json()["flagged"]] == [
        (3, "addon_category"),
        (4, "price_out_of_range"),
    ]
    assert (taken.json()["created"], again.json()["created"], again.json()["unchanged"]) == (3, 0, 3)


def test_a_menu_with_a_fault_names_its_lines_and_is_not_for_everybody(chain: Chain) -> None:
    answer = post_menu(chain.program_with(Scope.CATALOG), "编码,名称,价格\n1,茶,16\n2,茶,\n".encode())

    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "menu_file_refused"
    assert [(row["line"], row["code"]) for row in error["details"]["problems"]] == [(3, "price_unreadable")]
    assert post_menu(chain.staff(Role.CLERK), MENU).json()["error"]["code"] == "not_allowed"
    assert post_menu(chain.program_with(Scope.CATALOG), b"").json()["error"]["code"] == "list_empty"
