"""Reads of stores: who may act where, the access queries, and reads that ask nobody's permission."""

from stores.queries.access import (
    brand_for_caller,
    brand_for_staff,
    brands_of_caller,
    delivery_for_caller,
    require_permission,
    staff_seen_by,
    store_at_counter,
    store_for_caller,
    store_for_staff,
    stores_of_caller,
    stores_of_staff,
    webhook_for_caller,
)
from stores.queries.clerks import (
    ClerkStore,
    StoreNow,
    clerk_stores,
    send_clerks,
    send_stores,
    stores_for_clerks,
    stores_now,
)
from stores.queries.menus import Chosen, Menu, MenuGroup, MenuOption, MenuProduct, menu_of
from stores.queries.reads import (
    NearStore,
    deliveries,
    entity_on,
    nearest_stores,
    roles_of_user,
)
from stores.queries.sessions import clerks_of_device, is_live

__all__ = [
    "Chosen",
    "ClerkStore",
    "Menu",
    "MenuGroup",
    "MenuOption",
    "MenuProduct",
    "NearStore",
    "StoreNow",
    "brand_for_caller",
    "brand_for_staff",
    "brands_of_caller",
    "clerk_stores",
    "clerks_of_device",
    "deliveries",
    "delivery_for_caller",
    "entity_on",
    "is_live",
    "menu_of",
    "nearest_stores",
    "require_permission",
    "roles_of_user",
    "send_clerks",
    "send_stores",
    "staff_seen_by",
    "store_at_counter",
    "store_for_caller",
    "store_for_staff",
    "stores_for_clerks",
    "stores_now",
    "stores_of_caller",
    "stores_of_staff",
    "webhook_for_caller",
]
