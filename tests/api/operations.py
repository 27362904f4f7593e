"""
Every operation of the API: who may call it, and a body that would do.

Permissions are the table's (stores/permissions.py, docs/permissions.md); this says which of them an
operation asks for and where. An operation that is not here turns the walk red.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4

from PIL import Image

from config.kernel.caller import CallerKind
from orders.providers import sandbox_bill
from stores.permissions import APPOINTS, Permission, Role, roles_with, scopes_with
from tests.api.world import PLACES, Side, Someone
from tests.stores.people import PASSWORD, PIN

Target = Literal["own", "other_store", "foreign"]
Expected = Literal["allowed", 401, 403, 404]
Body = Callable[[Side, Any], Any]
"""The JSON of a valid request, for objects of one side and its ``store``."""

PEOPLE = frozenset({CallerKind.STAFF})
PROGRAMS = frozenset({CallerKind.API_CLIENT})
CUSTOMERS = frozenset({CallerKind.CUSTOMER})
AT_COUNTER = PEOPLE | PROGRAMS | {CallerKind.COUNTER}
SIGNED_IN = frozenset(CallerKind)


@dataclass(frozen=True)
class Operation:
    """
    ``kinds`` may call at all, None anybody; of them those with ``permission``, where one is named.

    ``refused`` and ``missing`` are the answers to who reaches the place and may not, and to who does not
    reach it. ``at_store``: the place is a store. ``appoints``: it takes power over that role there.
    ``always`` is the answer to anybody where no credentials count, ``lacks`` the code of a 404 that only who
    is let in can hear.
    """

    kinds: frozenset[CallerKind] | None
    permission: Permission | None = None
    body: Body | None = None
    at_store: bool = False
    refused: Expected = 403
    missing: Expected = 404
    appoints: Role | None = None
    media_type: str = "application/json"
    always: Expected = "allowed"
    lacks: str = ""

    def targets(self, path: str, query: set[str], body: set[str]) -> list[Target]:
        """The places it can be called for."""
        if self.kinds is None:
            return ["own"]
        if self.at_store:
            return ["own", "other_store", "foreign"]
        names_one = "{" in path or "brand" in query | body or self.names_foreign
        return ["own", "foreign"] if names_one else ["own"]

    @property
    def names_foreign(self) -> bool:
        """Whether a body names rows of a side by itself."""
        return self.body is not None and self.permission in (Permission.SELL, Permission.GRANT)

    def expected(self, who: Someone, target: Target) -> Expected:
        if self.kinds is None:
            return self.always
        if who.kind is None:
            return 401
        if who.kind not in self.kinds:
            return 403
        if target == "foreign" or (target == "other_store" and not self._reaches_other_store(who)):
            return self.missing
        return "allowed" if self._may(who) else self.refused

    def _reaches_other_store(self, who: Someone) -> bool:
        return who.kind is CallerKind.API_CLIENT or (who.kind is CallerKind.STAFF and who.role not in PLACES)

    def _may(self, who: Someone) -> bool:
        if self.permission is None:
            return True
        if who.kind is CallerKind.API_CLIENT:
            return bool(who.scopes & scopes_with(self.permission))
        if who.role is None:
            return True
        if self.appoints is not None and self.appoints not in APPOINTS.get(who.role, ()):
            return False
        return who.role in roles_with(self.permission)


def later(hours: int = 24) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def code() -> str:
    return uuid4().hex[:12]


def of(permission: Permission, body: Body | None = None, **fields: Any) -> Operation:
    """For people and programs, at the brand."""
    return Operation(**{"kinds": PEOPLE | PROGRAMS, "permission": permission, "body": body, **fields})


def at_store(permission: Permission, body: Body | None = None, **fields: Any) -> Operation:
    return of(permission, body, at_store=True, **fields)


def branded(**fields: Any) -> Body:
    """A body that names its brand."""
    return lambda side, store: {"brand": side.brand.public_id, **fields}


def plain(**fields: Any) -> Body:
    return lambda side, store: fields


def picture() -> bytes:
    """A small PNG."""
    written = io.BytesIO()
    Image.new("RGB", (64, 64), "#0C6170").save(written, "PNG")
    return written.getvalue()


def customers(body: Body | None = None) -> Operation:
    return Operation(CUSTOMERS, body=body)


def anybody(body: Body | None = None, **fields: Any) -> Operation:
    return Operation(None, body=body, **fields)


def units(side: Side, quantity: int) -> dict[str, Any]:
    return {"lines": [{"product": side.counted.public_id, "quantity": quantity}]}


def counted(quantity: int, **fields: Any) -> Body:
    """So many of the product that the side's stores count."""
    return lambda side, store: {**units(side, quantity), **fields}


QUERIES: dict[str, Callable[[Side], str]] = {
    "q": lambda side: side.voucher.public_id,
    "store": lambda side: side.store.public_id,
    "bill_date": lambda side: "2026-05-31",
    "since": lambda side: "2026-05-01",
    "until": lambda side: "2026-05-02",
    "day": lambda side: "2026-05-01",
    "paid_fen": lambda side: "990",
}
"""What operations require in their query, where it is no row that ``{name}`` in a path could be."""


P = Permission
ENDING = {"kinds": PEOPLE, "at_store": True, "refused": 404, "appoints": Role.CLERK}
CSV = {"media_type": "text/csv"}
BYTES = {"media_type": "application/octet-stream"}
BILL = "".join(sandbox_bill.written(date(2026, 5, 30), [], sandbox_bill.BillFaults()))

OPERATIONS: dict[str, Operation] = {
    # accounts
    "list_keys": anybody(),
    "sign_in_staff": anybody(lambda side, store: {"username": side.clerk.user.username, "password": PASSWORD}),
    # brands and places
    "my_brands": Operation(SIGNED_IN),
    "edit_brand": of(P.EDIT_BRAND, plain(name="青屿茶"), kinds=PEOPLE),
    "set_theme": of(P.EDIT_BRAND, plain(seed="#0C6170"), kinds=PEOPLE),
    "set_brand_picture": of(P.EDIT_BRAND, lambda side, store: picture(), kinds=PEOPLE, **BYTES),
    "take_brand_picture_away": of(P.EDIT_BRAND, kinds=PEOPLE, lacks="picture_not_found"),
    "list_regions": of(P.VIEW_STORES),
    "add_region": of(
        P.EDIT_STORES, lambda side, store: {"brand": side.brand.public_id, "code": code(), "name": "杭州"}
    ),
    "edit_region": of(P.EDIT_STORES, plain(name="浙江省")),
    "list_store_groups": of(P.VIEW_STORES),
    "add_store_group": of(
        P.EDIT_STORES, lambda side, store: {"brand": side.brand.public_id, "code": code(), "name": "旗舰店"}
    ),
    "get_store_group": of(P.VIEW_STORES),
    "list_store_group_members": of(P.VIEW_STORES),
    "change_store_group_members": of(
        P.EDIT_STORES, lambda side, store: {"joining": [side.store.public_id], "leaving": []}
    ),
    "list_calendars": of(P.VIEW_STORES),
    "publish_calendar": of(P.EDIT_STORES, branded(year=2027, holidays=[{"date": "2027-01-01", "name": "元旦"}])),
    "import_calendar": of(P.EDIT_STORES, lambda side, store: "date,name,kind\n2028-01-01,元旦,holiday\n", **CSV),
    "get_calendar": of(P.VIEW_STORES),
    "list_entities": of(P.VIEW_ENTITIES),
    "add_entity": of(
        P.EDIT_ENTITIES,
        lambda side, store: {"brand": side.brand.public_id, "code": code(), "name": "某公司", "kind": "company"},
    ),
    "edit_entity": of(P.EDIT_ENTITIES, plain(name="某公司")),
    "list_stores": of(P.VIEW_STORES),
    "open_store": of(
        P.EDIT_STORES, lambda side, store: {"brand": side.brand.public_id, "code": code(), "name": "新店"}
    ),
    "import_stores": of(P.EDIT_STORES, lambda side, store: "code,name\nS900,西溪店\n", **CSV),
    "get_store": at_store(P.VIEW_STORES),
    "edit_store": at_store(P.EDIT_STORES, plain(name="江南大道店")),
    "pause_store": at_store(P.PAUSE_STORES, plain(reason="装修")),
    "reopen_store": at_store(P.PAUSE_STORES),
    "close_store": at_store(P.EDIT_STORES, plain(reason="租约到期")),
    "list_store_entities": at_store(P.VIEW_ENTITIES),
    "hand_over_store": at_store(
        P.EDIT_ENTITIES, lambda side, store: {"entity": side.entity.public_id, "from_date": later(72)[:10]}
    ),
    # products
    "list_products": of(P.VIEW_STORES),
    "create_product": of(
        P.EDIT_PRODUCTS,
        lambda side, store: {"brand": side.brand.public_id, "code": code(), "name": "龙井", "price_fen": 1_800},
    ),
    "import_menu": of(P.EDIT_PRODUCTS, lambda side, store: "product_id,name,price\n900,龙井,18\n", **CSV),
    "get_product": of(P.VIEW_STORES),
    "edit_product": of(P.EDIT_PRODUCTS, plain(name="龙井")),
    "list_materials": of(P.VIEW_STOCK),
    "create_material": of(
        P.EDIT_PRODUCTS,
        lambda side, store: {"brand": side.brand.public_id, "code": code(), "name": "鲜牛奶", "unit": "ml"},
    ),
    "get_substitutes": of(P.VIEW_STORES),
    "list_substitutes": of(P.EDIT_PRODUCTS, plain(substitutes=[])),
    "get_recipe": of(P.VIEW_STOCK),
    "replace_recipe": of(
        P.EDIT_PRODUCTS, lambda side, store: {"lines": [{"material": side.material.public_id, "quantity": 150}]}
    ),
    "list_product_terms": of(P.EDIT_PRODUCTS),
    "list_product_vouchers": of(P.EDIT_PRODUCTS, lacks="terms_not_found"),
    "withdraw_product": of(P.EDIT_PRODUCTS, plain(reason="停产")),
    "list_store_terms": at_store(P.EDIT_STORES),
    "list_store_vouchers": at_store(P.EDIT_STORES, lacks="terms_not_found"),
    "list_recalls": of(P.EDIT_DEALS),
    "list_option_groups": of(P.VIEW_STORES),
    "create_option_group": of(
        P.EDIT_PRODUCTS, lambda side, store: {"brand": side.brand.public_id, "code": code(), "name": "温度"}
    ),
    "edit_option_group": of(P.EDIT_PRODUCTS, plain(name="杯型")),
    "create_option": of(P.EDIT_PRODUCTS, lambda side, store: {"code": code(), "name": "超大杯"}),
    "edit_option": of(P.EDIT_PRODUCTS, plain(name="大杯")),
    "withdraw_option": of(P.EDIT_PRODUCTS),
    "get_store_menu": anybody(),
    "get_ordering": at_store(P.MAKE_ORDERS, kinds=AT_COUNTER),
    "keep_ordering": at_store(
        P.PAUSE_STORES, plain(cups_per_slot=None, cut_off_minutes=0, needs_presence=False), kinds=AT_COUNTER
    ),
    "pause_ordering": at_store(P.MAKE_ORDERS, plain(minutes=15), kinds=AT_COUNTER),
    "resume_ordering": at_store(P.MAKE_ORDERS, kinds=AT_COUNTER),
    "say_present": at_store(P.MAKE_ORDERS, kinds=AT_COUNTER),
    "keep_stock": at_store(P.MARK_SOLD_OUT, plain(mode="daily_limit", daily_limit=40)),
    "list_stock": at_store(P.VIEW_STOCK),
    "list_stock_movements": at_store(P.VIEW_STOCK),
    "list_stock_acts": at_store(P.VIEW_STOCK),
    "list_stock_transfers": at_store(P.VIEW_STOCK),
    "receive_goods": at_store(P.HANDLE_STOCK, counted(quantity=3)),
    "throw_away": at_store(P.HANDLE_STOCK, counted(quantity=1, reason="打翻")),
    "take_stock": at_store(P.COUNT_STOCK, counted(quantity=7)),
    "undo_stock_act": at_store(P.COUNT_STOCK),
    "send_goods": at_store(P.COUNT_STOCK, lambda side, store: {**units(side, 1), "to": side.third_store.public_id}),
    "receive_transfer": at_store(P.HANDLE_STOCK, counted(quantity=1)),
    "sell_out_product": at_store(P.MARK_SOLD_OUT),
    "product_is_back": at_store(P.MARK_SOLD_OUT),
    "price_product_here": at_store(P.EDIT_PRODUCTS, plain(price_fen=1_900)),
    "sell_out_option": at_store(P.MARK_SOLD_OUT),
    "option_is_back": at_store(P.MARK_SOLD_OUT),
    "price_option_here": at_store(P.EDIT_PRODUCTS, plain(price_delta_fen=200)),
    # people
    "list_staff": Operation(PEOPLE),
    "appoint_staff": of(
        P.APPOINT_STAFF,
        lambda side, store: {
            "brand": side.brand.public_id,
            "username": f"new-{code()}",
            "password": PASSWORD,
            "role": "clerk",
            "store": store.public_id,
        },
        kinds=PEOPLE,
    ),
    "end_staff": of(P.APPOINT_STAFF, **ENDING),
    "leave_staff": of(P.APPOINT_STAFF, **ENDING),
    "set_staff_password": of(P.APPOINT_STAFF, plain(password=PASSWORD), **ENDING),
    "set_own_pin": of(P.REDEEM, branded(pin=PIN), kinds=PEOPLE),
    "list_invitations": at_store(P.APPOINT_STAFF, kinds=PEOPLE),
    "invite_staff": at_store(P.APPOINT_STAFF, plain(role="clerk"), kinds=PEOPLE),
    "withdraw_invitation": of(P.APPOINT_STAFF, kinds=PEOPLE, refused=404),
    "check_invitation": anybody(lambda side, store: {"token": side.invited.token}),
    "accept_invitation": anybody(
        lambda side, store: {
            "token": side.invited.token,
            "name": "小林",
            "username": f"new-{code()}",
            "password": PASSWORD,
            "pin": PIN,
        }
    ),
    "list_devices": at_store(P.BIND_DEVICES, kinds=PEOPLE),
    "bind_device": at_store(P.BIND_DEVICES, plain(name="收银台"), kinds=PEOPLE),
    "end_device": of(P.BIND_DEVICES, kinds=PEOPLE, refused=404),
    "show_own_device": Operation(frozenset({CallerKind.DEVICE})),
    "switch_by_pin": Operation(
        frozenset({CallerKind.DEVICE}), body=lambda side, store: {"user": side.clerk.user.public_id, "pin": PIN}
    ),
    # programs
    "list_api_clients": of(P.EDIT_API_CLIENTS, kinds=PEOPLE),
    "create_api_client": of(P.EDIT_API_CLIENTS, branded(name="收银", scopes=["redeeming"]), kinds=PEOPLE),
    "revoke_api_client": of(P.EDIT_API_CLIENTS, kinds=PEOPLE),
    "customer_token": of(P.SIGN_IN_CUSTOMERS, plain(external_id="u-1"), kinds=PROGRAMS),
    "list_webhooks": of(P.EDIT_WEBHOOKS),
    "subscribe_webhook": of(P.EDIT_WEBHOOKS, branded(url="https://93.184.215.14/hook", topics=["*"])),
    "end_webhook": of(P.EDIT_WEBHOOKS),
    "list_webhook_deliveries": of(P.EDIT_WEBHOOKS),
    "resend_webhook_delivery": of(P.EDIT_WEBHOOKS),
    # deals and offers
    "list_deals": of(P.EDIT_DEALS),
    "create_deal": of(
        P.EDIT_DEALS,
        lambda side, store: {
            "brand": side.brand.public_id,
            "out_id": code(),
            "kind": "cash",
            "name": "20 元代金券",
            "total": 100,
        },
    ),
    "get_deal": of(P.EDIT_DEALS),
    "list_terms": of(P.EDIT_DEALS),
    "publish_terms": of(
        P.EDIT_DEALS, plain(title="20 元代金券", list_price_fen=2_000, face_value_fen=2_000, usable_days=30)
    ),
    "list_participation_rounds": of(P.EDIT_DEALS),
    "ask_stores": of(P.EDIT_DEALS, lambda side, store: {"price_fen": 990, "answer_until": later(72)}),
    "list_round_stores": of(P.EDIT_DEALS),
    "get_store_share": at_store(P.VIEW_SHARES),
    "list_store_participation": at_store(P.VIEW_SHARES),
    "accept_participation": at_store(P.ANSWER_PARTICIPATION, kinds=PEOPLE),
    "decline_participation": at_store(P.ANSWER_PARTICIPATION, kinds=PEOPLE),
    "list_statements": of(P.VIEW_BOOKS),
    "sum_statements": of(P.VIEW_BOOKS),
    "list_statement_lines": of(P.VIEW_BOOKS),
    "list_closed_statements": of(P.VIEW_BOOKS),
    "close_month": of(P.CLOSE_BOOKS, branded(), kinds=PEOPLE),
    "set_cash_rule": of(P.CLOSE_BOOKS, branded(kind="surcharge", from_date=later(96)[:10], fee_bps=500), kinds=PEOPLE),
    "change_deal_total": of(P.EDIT_DEALS, plain(total=2_000_000)),
    "connect_issuer": of(P.EDIT_DEALS, branded(external_id="a-1"), lacks="issuer_not_there"),
    "disconnect_issuer": of(P.EDIT_DEALS, lacks="issuer_not_there"),
    "name_store_at_issuer": at_store(P.EDIT_STORES, plain(external_id="s-1"), lacks="issuer_not_there"),
    "honour_issuer_product": of(
        P.EDIT_DEALS,
        lambda side, store: {"brand": side.brand.public_id, "terms": side.terms.public_id},
        lacks="issuer_not_there",
    ),
    "list_offers": of(P.SELL),
    "get_terms_rules": of(P.VIEW_STORES, kinds=PEOPLE | PROGRAMS | CUSTOMERS),
    "list_amendments": of(P.EDIT_DEALS),
    "amend_terms": of(P.EDIT_DEALS, plain(reason="更久", usable_days=90)),
    "create_offer": of(P.SELL, lambda side, store: {"terms": side.terms.public_id, "price_fen": 990, "allotment": 10}),
    "get_offer": of(P.SELL),
    "change_allotment": of(P.SELL, plain(allotment=900)),
    "open_offer": of(P.SELL),
    "pause_offer": of(P.SELL),
    "resume_offer": of(P.SELL),
    "close_offer": of(P.SELL),
    "stop_selling": of(P.SELL, branded(scope="brand", reason="标错价")),
    "resume_selling": of(P.SELL, branded(scope="brand")),
    "list_grants": of(P.GRANT),
    "create_grant": of(
        P.GRANT,
        lambda side, store: {
            "terms": side.terms.public_id,
            "customers": [side.customer.public_id],
            "reason": "周年庆",
        },
    ),
    "preview_grant": of(
        P.GRANT, lambda side, store: {"terms": side.terms.public_id, "customers": [side.customer.public_id]}
    ),
    "get_grant": of(P.GRANT),
    "reverse_grant": of(P.GRANT),
    # live
    "list_sessions": of(P.SELL),
    "create_session": of(P.SELL, branded(title="周五直播")),
    "get_session": of(P.SELL),
    "edit_session": of(P.SELL, plain(title="周五直播")),
    "open_session": of(P.SELL),
    "pause_session": of(P.SELL),
    "resume_session": of(P.SELL),
    "close_session": of(P.SELL),
    "kill_session": of(P.SELL, plain(reason="标错价")),
    "end_session_kill": of(P.SELL),
    "list_offer": of(P.SELL, lambda side, store: {"offer": side.draft_offer.public_id}),
    "edit_listing": of(P.SELL, plain(position=2)),
    "take_listing_off": of(P.SELL),
    "list_promoters": of(P.SELL),
    "create_promoter": of(P.SELL, lambda side, store: {"brand": side.brand.public_id, "code": code(), "name": "阿青"}),
    "end_promoter": of(P.SELL),
    "list_commission_plans": of(P.SELL),
    "create_commission_plan": of(P.SELL, branded(promoter_rate_bps=500)),
    "end_commission_plan": of(P.SELL),
    "get_live_page": anybody(),
    "watch_live_figures": anybody(),
    # customers
    "buy": customers(lambda side, store: {"offer": side.offer.public_id, "unit_price_fen": 990, "terms_number": 1}),
    "list_purchases": customers(),
    "get_purchase": customers(),
    "start_payment": customers(plain()),
    "take_payment_notice": anybody(always=401),  # it is the signature that lets a notice in
    "list_vouchers": customers(),
    "get_voucher": customers(),
    "get_voucher_qr": customers(),
    "refund_voucher": customers(),
    "list_refunds": of(P.SERVE_CUSTOMERS),
    "get_voucher_timeline": customers(),
    "get_invoice_amount": customers(),
    "list_invoices": customers(),
    "get_invoice": customers(),
    "ask_invoice": customers(
        lambda side, store: {"redemption": side.redemption.public_id, "title_kind": "personal", "title": "陈某"}
    ),
    "retry_refund": of(P.SERVE_CUSTOMERS),
    "open_case": of(
        P.SERVE_CUSTOMERS,
        lambda side, store: {
            "brand": side.brand.public_id,
            "redemption": side.redemption.public_id,
            "reason": "做错了",
            "fault": "store",
            "outcome": "remake",
        },
    ),
    "list_cases": of(P.SERVE_CUSTOMERS),
    "get_case": of(P.SERVE_CUSTOMERS),
    "approve_case": of(P.APPROVE_CASES, kinds=PEOPLE),
    "decline_case": of(P.APPROVE_CASES, plain(because="已超过时限"), kinds=PEOPLE),
    "search_after_sale": of(P.SERVE_CUSTOMERS),
    "get_after_sale_timeline": of(P.SERVE_CUSTOMERS),
    # reconciliation
    "list_bills": of(P.VIEW_BILLS),
    "take_bill": of(P.RECONCILE, lambda side, store: BILL, **CSV),
    "get_bill": of(P.VIEW_BILLS),
    "list_bill_differences": of(P.VIEW_BILLS),
    "explain_bill_difference": of(P.RECONCILE, plain(reason="对过了")),
    "book_bill_difference": of(P.RECONCILE, plain(reason="补记")),
    "list_day_closes": of(P.VIEW_BILLS),
    "close_day": of(P.RECONCILE, branded(bill_date="2026-05-31"), lacks="bill_not_found"),
    # payouts
    "get_bank_account": of(P.VIEW_PAYOUTS, lacks="bank_account_not_found"),
    "keep_bank_account": of(P.PAY_OUT, plain(holder="某公司", bank="某银行", number="6222000011112222")),
    "list_payout_batches": of(P.VIEW_PAYOUTS),
    "make_payout_batch": of(P.PAY_OUT, branded()),
    "list_payouts": of(P.VIEW_PAYOUTS),
    "get_payout_file": of(P.PAY_OUT),
    "take_payout_results": of(P.PAY_OUT, lambda side, store: "付款编号,结果\n", **CSV),
    # statements
    "get_statement_lines_file": of(P.VIEW_BOOKS),
    "get_invoices_file": of(P.VIEW_BOOKS),
    "ask_statement_export": of(P.VIEW_BOOKS, branded(since="2026-06-01", until="2026-06-02")),
    "get_statement_export": of(P.VIEW_BOOKS),
    "get_statement_export_file": of(P.VIEW_BOOKS),
    # the counter
    "prepare_redemption": at_store(P.REDEEM, lambda side, store: {"codes": [side.voucher.code]}, kinds=AT_COUNTER),
    "redeem": at_store(P.REDEEM, lambda side, store: {"codes": [side.voucher.code]}, kinds=AT_COUNTER, refused=404),
    "list_redemptions": at_store(P.VIEW_REDEMPTIONS, kinds=AT_COUNTER),
    "get_redemption_request": at_store(P.VIEW_REDEMPTIONS, kinds=AT_COUNTER, refused=404),
    "ask_surcharge": at_store(P.REDEEM, plain(way="till", amount_fen=500, reason="大杯"), kinds=PEOPLE, refused=404),
    "get_surcharge": at_store(P.VIEW_REDEMPTIONS, kinds=PEOPLE, refused=404),
    "list_surcharges": at_store(P.VIEW_REDEMPTIONS, kinds=PEOPLE),
    # orders at a store
    "quote": customers(lambda side, store: {"lines": [{"product": side.product.public_id, "quantity": 1}]}),
    "place_order": customers(
        lambda side, store: {"lines": [{"product": side.product.public_id, "quantity": 1}], "due_fen": 1}
    ),
    "use_voucher": customers(plain(latitude=30.2, longitude=120.2)),
    "list_orders": customers(),
    "get_order": customers(),
    "cancel_order": customers(),
    "list_slots": customers(),
    "start_order_payment": customers(plain(provider="sandbox")),
    "order_board": at_store(P.MAKE_ORDERS, kinds=AT_COUNTER),
    "accept_order": at_store(P.MAKE_ORDERS, kinds=AT_COUNTER),
    "make_order": at_store(P.MAKE_ORDERS, kinds=AT_COUNTER),
    "ready_order": at_store(P.MAKE_ORDERS, kinds=AT_COUNTER),
    "collect_order": at_store(P.MAKE_ORDERS, kinds=AT_COUNTER),
    "reject_order": at_store(P.MAKE_ORDERS, plain(reason="停电"), kinds=AT_COUNTER),
    "reverse_redemption": at_store(P.REDEEM, kinds=AT_COUNTER, refused=404),
}
