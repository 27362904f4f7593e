"""
The access queries: each folds permission into the look-up.

What the caller does not reach is not there (404); what she reaches in a role that may not is 403.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.expressions import RawSQL

from config.kernel import ids
from config.kernel.caller import Caller, CallerKind
from config.kernel.errors import NotAllowed, NotFound
from stores.errors import BrandNotFound, BrandRequired, StoreNotFound, WebhookDeliveryNotFound, WebhookNotFound
from stores.models import Brand, Staff, Store, WebhookDelivery, WebhookSubscription
from stores.permissions import Permission, Role, roles_with, scopes_with
from stores.queries.clerks import ClerkStore, stores_for_clerks

# Set-based mirror of the rule above for one user over a whole brand; the entity is the calendar day's.
REACHED = """
WITH RECURSIVE held AS (
    SELECT staff.* FROM stores_staff staff JOIN accounts_user person ON person.id = staff.user_id AND person.is_active
    WHERE staff.user_id = %s AND (staff.ended_at IS NULL OR staff.ended_at > %s) AND staff.role = ANY(%s)
), below AS (
    SELECT region_id FROM held WHERE region_id IS NOT NULL
    UNION
    SELECT region.id FROM below JOIN stores_region region ON region.parent_id = below.region_id
)
SELECT store.id FROM stores_store store
WHERE store.brand_id IN (SELECT brand_id FROM held WHERE store_id IS NULL AND entity_id IS NULL AND region_id IS NULL)
   OR store.id IN (SELECT store_id FROM held WHERE store_id IS NOT NULL)
   OR store.region_id IN (SELECT region_id FROM below)
   OR (SELECT entity_id FROM stores_storeentity member
       WHERE member.store_id = store.id AND member.from_date <= (%s::timestamptz AT TIME ZONE store.zone)::date
       ORDER BY from_date DESC LIMIT 1) IN (SELECT entity_id FROM held WHERE entity_id IS NOT NULL)
"""


def store_for_staff(
    public_id: str, user_id: UUID, *, at: datetime, permission: Permission = Permission.REDEEM
) -> ClerkStore:
    """
    One store, for one of its staff.

    Raises:
        MalformedId: not a store's id.
        StoreNotFound: nothing of hers, another brand's store included.
        NotAllowed: she reaches it, in no role that has ``permission``.
    """
    pair = (ids.parse(Store.PREFIX, public_id), user_id)
    found = stores_for_clerks([pair], at, permission=Permission.VIEW_STORES).get(pair)
    if found is None:
        raise StoreNotFound
    if not found.roles & roles_with(permission):
        raise NotAllowed
    return found


def store_at_counter(
    public_id: str, caller: Caller, *, at: datetime, permission: Permission = Permission.REDEEM
) -> ClerkStore:
    """
    One store, for whoever stands at its counter: a person, a person switched to on a device, or a till's program.

    Raises:
        MalformedId: not a store's id.
        StoreNotFound: not in reach; for a device, any store but its own.
        NotAllowed: in reach, but not this.
    """
    pair = (ids.parse(Store.PREFIX, public_id), caller)
    found = stores_for_clerks([pair], at, permission=permission).get(pair)
    if found is not None:
        return found
    if caller.kind is CallerKind.API_CLIENT:  # it reaches every store of its brand, whatever its scopes
        assert caller.brand_id is not None, "programs belong to a brand"
        is_there = Store.objects.filter(id=pair[0], brand_id=caller.brand_id).exists()
    else:
        is_there = bool(stores_for_clerks([pair], at, permission=Permission.VIEW_STORES))
    raise NotAllowed if is_there else StoreNotFound


def store_for_caller(caller: Caller, public_id: str, *, permission: Permission, at: datetime) -> Store:
    """
    One store's row, for a person or a program that may do with it what ``permission`` names.

    Raises:
        MalformedId: not a store's id.
        StoreNotFound: not in the caller's reach.
        NotAllowed: in reach, but not this.
    """
    store_id = ids.parse(Store.PREFIX, public_id)
    if caller.kind is CallerKind.STAFF and caller.id is not None:
        store_for_staff(public_id, caller.id, at=at, permission=permission)
        return Store.objects.get(id=store_id)
    if caller.kind is not CallerKind.API_CLIENT or caller.brand_id is None:
        raise NotAllowed
    store = Store.objects.filter(id=store_id, brand_id=caller.brand_id).first()
    if store is None:
        raise StoreNotFound
    if not caller.scopes & scopes_with(permission):
        raise NotAllowed
    return store


def stores_of_staff(user_id: UUID, *, at: datetime, permission: Permission = Permission.VIEW_STORES) -> QuerySet[Store]:
    """Every store that the user reaches in a role with ``permission``, as a queryset to narrow and to page."""
    roles = [role.value for role in roles_with(permission)]
    return Store.objects.filter(id__in=RawSQL(REACHED, [user_id, at, roles, at]))  # noqa: S611 - a constant


def stores_of_caller(caller: Caller, *, at: datetime, brand: str | None = None) -> QuerySet[Store]:
    """
    Every store a person reaches, or a program's brand has; within ``brand`` where it is named.

    Raises:
        MalformedId, BrandNotFound: about ``brand``.
        NotAllowed: a customer, or a key without such a scope.
    """
    if caller.kind is CallerKind.API_CLIENT:
        return Store.objects.filter(brand_id=brand_for_caller(caller, Permission.VIEW_STORES, at=at, brand=brand))
    if caller.kind is not CallerKind.STAFF or caller.id is None:
        raise NotAllowed
    stores = stores_of_staff(caller.id, at=at)
    if brand is None:
        return stores
    return stores.filter(brand_id=brand_for_caller(caller, Permission.VIEW_STORES, at=at, brand=brand))


def brand_for_staff(user_id: UUID, roles: Iterable[Role], *, at: datetime, brand: str | None = None) -> Brand:
    """
    The brand that the user serves in one of ``roles``; the public id ``brand`` says which where several do.

    Of roles below the brand's own (a clerk's, a franchisee's) it says nothing about where they reach.

    Raises:
        MalformedId: ``brand`` is not a brand's id.
        BrandNotFound: she does not serve it.
        NotAllowed: she serves it, in none of ``roles``.
        BrandRequired: several fit.
    """
    held = Staff.objects.filter(user_id=user_id, user__is_active=True).exclude(ended_at__lte=at)
    if brand is not None:
        held = held.filter(brand_id=ids.parse(Brand.PREFIX, brand))
    reached = list(held.select_related("brand"))
    if not reached:
        raise BrandNotFound if brand is not None else NotAllowed
    wanted = set(roles)
    fitting = {staff.brand_id: staff.brand for staff in reached if Role(staff.role) in wanted}
    if not fitting:
        raise NotAllowed
    if len(fitting) > 1:
        raise BrandRequired(param="brand")
    return next(iter(fitting.values()))


def brand_for_caller(caller: Caller, permission: Permission, *, at: datetime, brand: str | None = None) -> UUID:
    """
    The brand for which a person or a program may do what ``permission`` names.

    The public id ``brand`` says which where a person serves several; a program has one.

    Raises:
        MalformedId, BrandNotFound, BrandRequired: about ``brand``.
        NotAllowed: a customer, a person in no such role, a key without such a scope.
    """
    if caller.kind is CallerKind.API_CLIENT:
        assert caller.brand_id is not None, "programs belong to a brand"
        if brand is not None and ids.parse(Brand.PREFIX, brand) != caller.brand_id:
            raise BrandNotFound
        if not caller.scopes & scopes_with(permission):
            raise NotAllowed
        return caller.brand_id
    if caller.kind is not CallerKind.STAFF or caller.id is None:
        raise NotAllowed
    return brand_for_staff(caller.id, roles_with(permission), at=at, brand=brand).id


def brands_of_caller(caller: Caller, *, at: datetime) -> QuerySet[Brand]:
    """The brands a person serves; the one a program or a customer belongs to."""
    if caller.kind is CallerKind.STAFF and caller.id is not None:
        held = Staff.objects.filter(user_id=caller.id, user__is_active=True).exclude(ended_at__lte=at)
        return Brand.objects.filter(id__in=held.values("brand_id")).order_by("slug")
    assert caller.brand_id is not None, "programs and customers belong to a brand"
    return Brand.objects.filter(id=caller.brand_id)


def require_permission(
    caller: Caller, permission: Permission, *, brand_id: UUID, at: datetime, missing: type[NotFound]
) -> None:
    """
    For a row of ``brand_id`` that was looked up by its id: may the caller do this with it?

    Raises:
        NotFound: ``missing``, where the caller does not reach the brand: it is not there for her.
        NotAllowed: she reaches it, and may not.
    """
    try:
        brand_for_caller(caller, permission, at=at, brand=ids.public(Brand.PREFIX, brand_id))
    except BrandNotFound:
        raise missing from None


def staff_seen_by(user_id: UUID, *, at: datetime) -> QuerySet[Staff]:
    """Who works in the brands whose people the user may see, or at the stores where she may see them."""
    roles = roles_with(Permission.VIEW_STAFF)
    held = Staff.objects.filter(user_id=user_id, user__is_active=True, role__in=roles).exclude(ended_at__lte=at)
    whole = held.filter(region=None, entity=None, store=None)
    stores = stores_of_staff(user_id, at=at, permission=Permission.VIEW_STAFF)
    return Staff.objects.filter(Q(brand_id__in=whole.values("brand_id")) | Q(store__in=stores))


@dataclass(frozen=True, slots=True)
class Books:
    """Whose money a caller may look at: the whole brand's where ``entity_ids`` is None."""

    brand_id: UUID
    entity_ids: frozenset[UUID] | None


def books_for_caller(caller: Caller, *, at: datetime, brand: str | None = None) -> Books:
    """
    The books that a person or a program may see: a franchisee her own entities' and nobody else's.

    Rows carry the entity of their business day, so whoever took a store over sees its days from then on.

    Raises:
        MalformedId, BrandNotFound, BrandRequired: about ``brand``.
        NotAllowed: a customer, a person in no such role, a key without such a scope.
    """
    brand_id = brand_for_caller(caller, Permission.VIEW_BOOKS, at=at, brand=brand)
    if caller.kind is not CallerKind.STAFF:
        return Books(brand_id, None)
    assert caller.id is not None, "people have ids"
    held = Staff.objects.filter(user_id=caller.id, brand_id=brand_id, role__in=roles_with(Permission.VIEW_BOOKS))
    entity_ids = set(held.exclude(ended_at__lte=at).values_list("entity_id", flat=True))
    return Books(brand_id, None if None in entity_ids else frozenset(key for key in entity_ids if key))


def webhook_for_caller(caller: Caller, public_id: str, *, at: datetime) -> WebhookSubscription:
    """
    One webhook subscription, for whoever may edit those of its brand.

    Raises:
        MalformedId: not a subscription's id.
        WebhookNotFound: there is none, or it is another brand's.
        NotAllowed: the caller reaches the brand, and may not.
    """
    found = WebhookSubscription.objects.filter(id=ids.parse(WebhookSubscription.PREFIX, public_id)).first()
    if found is None:
        raise WebhookNotFound
    require_permission(caller, Permission.EDIT_WEBHOOKS, brand_id=found.brand_id, at=at, missing=WebhookNotFound)
    return found


def delivery_for_caller(caller: Caller, public_id: str, *, at: datetime) -> WebhookDelivery:
    """
    One delivery, for whoever may edit the webhooks of its brand.

    Raises:
        MalformedId: not a delivery's id.
        WebhookDeliveryNotFound: there is none, or it is another brand's.
        NotAllowed: the caller reaches the brand, and may not.
    """
    rows = WebhookDelivery.objects.select_related("subscription", "message").defer("message__items")
    found = rows.filter(id=ids.parse(WebhookDelivery.PREFIX, public_id)).first()
    if found is None:
        raise WebhookDeliveryNotFound
    require_permission(
        caller,
        Permission.EDIT_WEBHOOKS,
        brand_id=found.subscription.brand_id,
        at=at,
        missing=WebhookDeliveryNotFound,
    )
    return found
