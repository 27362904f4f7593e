"""The chain that goes live: its stores, the people who work there, and the customers who have signed in."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from config.accounts.models import User
from config.kernel.caller import Caller, CallerKind
from config.kernel.ids import new_id
from stores.models import ApiClient, Brand, Customer, CustomerIdentity, Staff, Store
from stores.services import api_clients, brands, customers, generated_stores, staffing, store_import
from stores.services.people import NewPerson

MANNED_STORES = 16
INSTALLER = Caller(kind=CallerKind.OPERATOR, id=None)
"""Who sets the rehearsal up: somebody at the machine, in nobody's name."""


@dataclass(frozen=True)
class Chain:
    """One brand with its sign-ins; ``counters`` are the stores where a clerk stands."""

    brand: Brand
    owner: User
    manager: User
    counters: list[tuple[Store, User]]
    store_count: int
    password: str
    api_key: str


def open_chain(*, name: str, stores: int, stores_csv: Path | None, at: datetime) -> Chain:
    """
    A brand of its own for this rehearsal, with generated stores or those of a CSV file.

    Raises:
        DomainError: the import's refusal, where the file cannot be taken.
    """
    slug = _free_slug()
    password = secrets.token_urlsafe(12)
    opened = brands.open_brand(
        slug=slug, name=name, owner=NewPerson(f"owner@{slug}", password, "老板"), by=INSTALLER, at=at
    )
    brand = opened.brand
    if stores_csv is None:
        generated_stores.found(brand_id=brand.id, count=stores, by=INSTALLER, at=at)
    else:
        with stores_csv.open("rb") as source:
            store_import.import_stores(
                brand_id=brand.id, source=source, reading=store_import.Reading(), by=INSTALLER, at=at
            )
    manned = list(Store.objects.filter(brand=brand).order_by("code")[:MANNED_STORES])
    key = api_clients.create(brand_id=brand.id, name="rehearsal", scopes=list(ApiClient.Scope), by=INSTALLER, at=at).key
    return Chain(
        brand=brand,
        owner=opened.owner,
        manager=_appoint(brand, f"manager@{slug}", password, Staff.Role.STORE_MANAGER, manned[0], at),
        counters=[
            (store, _appoint(brand, f"clerk{number}@{slug}", password, Staff.Role.CLERK, store, at))
            for number, store in enumerate(manned, start=1)
        ],
        store_count=Store.objects.filter(brand=brand).count(),
        password=password,
        api_key=key,
    )


def sign_in_customers(*, brand_id: UUID, count: int, at: datetime) -> list[UUID]:
    """``count`` customers who signed in before the sale, set-based; they are simulated and have no phone."""
    people = [Customer(id=new_id(), brand_id=brand_id, created_at=at) for _ in range(count)]
    Customer.objects.bulk_create(people, batch_size=5_000)
    CustomerIdentity.objects.bulk_create(
        [
            CustomerIdentity(
                brand_id=brand_id,
                customer=person,
                provider=customers.BRANDS_OWN,
                external_id=f"viewer-{number}",
                created_at=at,
            )
            for number, person in enumerate(people)
        ],
        batch_size=5_000,
    )
    return [person.id for person in people]


def _appoint(brand: Brand, username: str, password: str, role: Staff.Role, store: Store, at: datetime) -> User:
    person = NewPerson(username, password)
    made = staffing.appoint(
        brand_id=brand.id,
        person=person,
        role=role,
        place=staffing.Place(store_id=store.id),
        by=INSTALLER,
        at=at,
    )
    return made.row.user


def _free_slug() -> str:
    taken = set(Brand.objects.filter(slug__startswith=generated_stores.BRAND_SLUG).values_list("slug", flat=True))
    names = (generated_stores.BRAND_SLUG if n == 1 else f"{generated_stores.BRAND_SLUG}-{n}" for n in range(1, 10_000))
    return next(name for name in names if name not in taken)
