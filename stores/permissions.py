"""
Who may do what: the one table that the access queries read and docs/permissions.md shows.

A row of ``Staff`` says where a role reaches (a brand, a region's stores, an entity's, one store);
this table says what the role may do there. Programs are held by the scopes of their key.
"""

from collections.abc import Iterable
from enum import StrEnum

from stores.models import ApiClient, Staff

Role = Staff.Role
Scope = ApiClient.Scope


class Permission(StrEnum):
    VIEW_STORES = "view_stores"
    EDIT_STORES = "edit_stores"
    PAUSE_STORES = "pause_stores"
    VIEW_ENTITIES = "view_entities"
    EDIT_ENTITIES = "edit_entities"
    EDIT_BRAND = "edit_brand"
    VIEW_STAFF = "view_staff"
    APPOINT_STAFF = "appoint_staff"
    BIND_DEVICES = "bind_devices"
    EDIT_API_CLIENTS = "edit_api_clients"
    SIGN_IN_CUSTOMERS = "sign_in_customers"
    REDEEM = "redeem"
    VIEW_REDEMPTIONS = "view_redemptions"
    MAKE_ORDERS = "make_orders"
    EDIT_PRODUCTS = "edit_products"
    MARK_SOLD_OUT = "mark_sold_out"
    VIEW_STOCK = "view_stock"
    HANDLE_STOCK = "handle_stock"
    COUNT_STOCK = "count_stock"
    EDIT_DEALS = "edit_deals"
    SELL = "sell"
    GRANT = "grant"
    SERVE_CUSTOMERS = "serve_customers"
    APPROVE_CASES = "approve_cases"
    VIEW_BOOKS = "view_books"
    VIEW_BILLS = "view_bills"
    RECONCILE = "reconcile"
    VIEW_PAYOUTS = "view_payouts"
    PAY_OUT = "pay_out"
    EDIT_WEBHOOKS = "edit_webhooks"
    CLOSE_BOOKS = "close_books"
    VIEW_SHARES = "view_shares"
    ANSWER_PARTICIPATION = "answer_participation"


HEAD_OFFICE = frozenset({Role.OWNER, Role.OPERATOR})
"""Runs the brand from day to day."""
COUNTER = HEAD_OFFICE | {Role.REGION_SUPERVISOR, Role.FRANCHISEE, Role.STORE_MANAGER, Role.CLERK}
"""Stands, or may step in, at a counter. Those who look at money do not also make it: no finance, no auditor."""
EVERYBODY = frozenset(Role)

ROLES: dict[Permission, frozenset[Role]] = {
    Permission.VIEW_STORES: EVERYBODY,
    Permission.EDIT_STORES: HEAD_OFFICE,
    Permission.PAUSE_STORES: COUNTER - {Role.CLERK},
    Permission.VIEW_ENTITIES: HEAD_OFFICE | {Role.FINANCE, Role.AUDITOR},
    Permission.EDIT_ENTITIES: frozenset({Role.OWNER, Role.FINANCE}),
    Permission.EDIT_BRAND: frozenset({Role.OWNER}),
    Permission.VIEW_STAFF: (COUNTER - {Role.CLERK}) | {Role.AUDITOR},
    Permission.APPOINT_STAFF: COUNTER - {Role.CLERK},
    Permission.BIND_DEVICES: COUNTER - {Role.CLERK},
    Permission.EDIT_API_CLIENTS: frozenset({Role.OWNER}),
    Permission.SIGN_IN_CUSTOMERS: frozenset(),
    Permission.REDEEM: COUNTER,
    Permission.VIEW_REDEMPTIONS: EVERYBODY,
    Permission.MAKE_ORDERS: COUNTER,
    Permission.EDIT_PRODUCTS: HEAD_OFFICE,
    Permission.MARK_SOLD_OUT: COUNTER,
    Permission.VIEW_STOCK: EVERYBODY,
    Permission.HANDLE_STOCK: COUNTER,
    Permission.COUNT_STOCK: COUNTER - {Role.CLERK},
    Permission.EDIT_DEALS: HEAD_OFFICE,
    Permission.SELL: HEAD_OFFICE,
    Permission.GRANT: HEAD_OFFICE,
    Permission.SERVE_CUSTOMERS: HEAD_OFFICE | {Role.CUSTOMER_SERVICE},
    Permission.APPROVE_CASES: HEAD_OFFICE,
    Permission.VIEW_BOOKS: HEAD_OFFICE | {Role.FINANCE, Role.AUDITOR, Role.FRANCHISEE},
    Permission.VIEW_BILLS: frozenset({Role.OWNER, Role.FINANCE, Role.AUDITOR}),
    Permission.RECONCILE: frozenset({Role.OWNER, Role.FINANCE}),
    Permission.VIEW_PAYOUTS: frozenset({Role.OWNER, Role.FINANCE, Role.AUDITOR}),
    Permission.PAY_OUT: frozenset({Role.OWNER, Role.FINANCE}),
    Permission.EDIT_WEBHOOKS: HEAD_OFFICE,
    Permission.CLOSE_BOOKS: frozenset({Role.OWNER, Role.FINANCE}),
    Permission.VIEW_SHARES: (COUNTER - {Role.CLERK}) | {Role.FINANCE, Role.AUDITOR},
    Permission.ANSWER_PARTICIPATION: COUNTER - {Role.CLERK},
}

SCOPES: dict[Permission, frozenset[Scope]] = {
    Permission.VIEW_STORES: frozenset({Scope.CATALOG, Scope.SELLING, Scope.REDEEMING, Scope.REPORTS}),
    Permission.EDIT_STORES: frozenset({Scope.CATALOG}),
    Permission.PAUSE_STORES: frozenset({Scope.CATALOG}),
    Permission.VIEW_ENTITIES: frozenset({Scope.CATALOG, Scope.REPORTS}),
    Permission.SIGN_IN_CUSTOMERS: frozenset({Scope.CUSTOMERS}),
    Permission.REDEEM: frozenset({Scope.REDEEMING}),
    Permission.VIEW_REDEMPTIONS: frozenset({Scope.REDEEMING, Scope.REPORTS}),
    Permission.MAKE_ORDERS: frozenset({Scope.REDEEMING}),
    Permission.EDIT_PRODUCTS: frozenset({Scope.CATALOG}),
    Permission.MARK_SOLD_OUT: frozenset({Scope.CATALOG, Scope.REDEEMING}),
    Permission.VIEW_STOCK: frozenset({Scope.CATALOG, Scope.REPORTS}),
    Permission.HANDLE_STOCK: frozenset({Scope.CATALOG}),
    Permission.COUNT_STOCK: frozenset({Scope.CATALOG}),
    Permission.EDIT_DEALS: frozenset({Scope.CATALOG}),
    Permission.SELL: frozenset({Scope.SELLING}),
    Permission.GRANT: frozenset({Scope.GRANTING}),
    Permission.SERVE_CUSTOMERS: frozenset({Scope.CUSTOMERS}),
    Permission.VIEW_BOOKS: frozenset({Scope.REPORTS}),
    Permission.VIEW_BILLS: frozenset({Scope.REPORTS}),
    Permission.VIEW_PAYOUTS: frozenset({Scope.REPORTS}),
    Permission.EDIT_WEBHOOKS: frozenset({Scope.WEBHOOKS}),
    Permission.VIEW_SHARES: frozenset({Scope.REPORTS}),
}
"""What is not named here is a person's alone: a leaked key appoints nobody and makes no further key."""

APPOINTS: dict[Role, frozenset[Role]] = {
    Role.OWNER: EVERYBODY,
    Role.OPERATOR: EVERYBODY - {Role.OWNER, Role.OPERATOR, Role.FINANCE, Role.AUDITOR},
    Role.REGION_SUPERVISOR: frozenset({Role.STORE_MANAGER, Role.CLERK}),
    Role.FRANCHISEE: frozenset({Role.STORE_MANAGER, Role.CLERK}),
    Role.STORE_MANAGER: frozenset({Role.CLERK}),
}
"""Whom each role may appoint and end, within its own reach: always less than itself, but for the owner."""


def roles_with(permission: Permission) -> frozenset[Role]:
    return ROLES[permission]


def scopes_with(permission: Permission) -> frozenset[Scope]:
    return SCOPES.get(permission, frozenset())


def as_markdown() -> str:
    """The table as docs/permissions.md shows it."""

    def row(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    lines = [row(["may", *(role.value for role in Role), "API key with scope"]), row(["---"] * (len(Role) + 2))]
    for permission in Permission:
        marks = ("●" if role in ROLES[permission] else "" for role in Role)
        scopes = ", ".join(sorted(scope.value for scope in scopes_with(permission)))
        lines.append(row([permission.value, *marks, scopes]))
    lines += ["", row(["role", "appoints and ends"]), row(["---", "---"])]
    lines += [
        row([role.value, ", ".join(appointed.value for appointed in Role if appointed in APPOINTS[role])])
        for role in Role
        if role in APPOINTS
    ]
    return "\n".join(lines) + "\n"
