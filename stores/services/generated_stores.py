"""
The demo brand's own list of stores: plausible, deterministic, nobody's real address.

The same count always gives the same stores, whatever the machine, so that two runs can be compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from itertools import product
from math import cos, radians
from random import Random
from uuid import UUID

from django.db import transaction

from config.kernel import audit
from config.kernel.caller import Caller
from config.kernel.money import split_fen
from stores.models import Region, SettlementEntity, Store
from stores.services import brands, entities
from stores.services.chinese_cities import CITIES, PROVINCES, City

BRAND_NAME = "青屿茶"
BRAND_SLUG = "qingyu"

STREETS = """
江南大道 解放路 人民路 中山路 建设路 和平路 文化路 学院路 滨江路 新华路 长江路 延安路 湖滨路 朝阳路 友谊路 光明路
东风路 胜利路 环城路 迎宾大道 世纪大道 科技路 大学路 公园路 步行街 老街 古城 火车站 高铁站 汽车站 大学城 科技园
软件园 体育中心 会展中心 市民中心 人民公园 文创园 中央广场 星河广场 金桥广场 时代广场 银杏里 花园里 柳荫里 桂花巷 梧桐里
水街 天桥 南门 北门 东站 西站
""".split()  # noqa: SIM905 - fifty words read better than fifty quoted ones
SIDES = ("", "东", "西", "南", "北")
NUMBERS = ("", "二", "三", "四")
ENTITY_WORDS = ("青禾", "云栖", "松间", "望舒", "听泉", "南枝", "晴川", "山月", "竹里", "星野", "沐风", "知春")

DAILY = ("10:00", "22:00")
HOURS: tuple[tuple[int, tuple[str, str], tuple[str, str]], ...] = (
    # of 100 stores, hours on weekdays, hours from Friday to Sunday
    (60, DAILY, DAILY),
    (15, DAILY, ("10:00", "23:00")),
    (10, ("08:30", "21:30"), ("09:30", "22:00")),
    (12, ("10:30", "24:00"), ("10:30", "26:00")),
    (3, ("11:00", "28:00"), ("11:00", "28:00")),
)
FRANCHISED_PERCENT = 60
STORES_A_FRANCHISEE = 12
DEGREE_METRES = 111_320


@dataclass(frozen=True)
class GeneratedStore:
    """``franchisee`` is its number within the city; None is the company's own store."""

    code: str
    name: str
    city: City
    latitude: Decimal
    longitude: Decimal
    hours: dict[str, list[list[str]]]
    franchisee: int | None


def generate(count: int) -> list[GeneratedStore]:
    """``count`` stores over the cities by residents; at most as many a city as it has names for."""
    shares = split_fen(count, [city.residents for city in CITIES])  # the same largest remainder as money's
    return [store for city, share in zip(CITIES, shares, strict=True) for store in _of_city(city, share)]


def found(*, brand_id: UUID, count: int, by: Caller, at: datetime) -> list[Store]:
    """
    Give an empty brand its regions, entities and ``count`` stores, together or not at all.

    A programmer's error where the brand has stores already.
    """
    planned = generate(count)
    with transaction.atomic(durable=True):
        brands.lock(brand_id)
        assert not Store.objects.filter(brand_id=brand_id).exists(), "this brand has stores of its own"
        regions = _regions(brand_id, {store.city for store in planned})
        company, franchisees = _entities(brand_id, planned, at=at)
        stores = [
            Store(
                brand_id=brand_id,
                region=regions[store.city.code],
                code=store.code,
                name=store.name,
                city=store.city.name,
                latitude=store.latitude,
                longitude=store.longitude,
                hours=store.hours,
                created_at=at,
            )
            for store in planned
        ]
        Store.objects.bulk_create(stores, batch_size=1_000)
        held: dict[UUID, list[Store]] = {}
        for store, plan in zip(stores, planned, strict=True):
            holder = company if plan.franchisee is None else franchisees[plan.city.code, plan.franchisee]
            held.setdefault(holder.id, []).append(store)
        entities.give(held, at=at)
        audit.record(
            act="stores.generated",
            actor_kind=by.kind,
            actor_id=by.id,
            brand_id=brand_id,
            subject_kind="store",
            subject_count=len(stores),
            details={"regions": len(regions), "entities": 1 + len(franchisees)},
            at=at,
        )
    return stores


def _of_city(city: City, count: int) -> Iterator[GeneratedStore]:
    # Seeded by the city alone: another count or another city in the table moves no store.
    dice = Random(int.from_bytes(sha256(str(city.code).encode()).digest()[:8]))  # noqa: S311 - nothing secret
    names = [f"{street}{side}" for street, side in product(STREETS, SIDES)]
    dice.shuffle(names)
    places = [f"{place}{number}" for number in NUMBERS for place in names]
    assert count <= len(places), f"{city.name} has names for {len(places)} stores"
    franchisees = max(1, round(count * FRANCHISED_PERCENT / 100 / STORES_A_FRANCHISEE))
    spread_metres = 2_500 + 3 * city.residents
    for number, place in enumerate(places[:count], start=1):
        north, east = (max(-2.5, min(2.5, dice.gauss(0, 1))) * spread_metres for _ in range(2))
        open_like, franchised, holder = dice.randrange(100), dice.randrange(100), dice.random()
        yield GeneratedStore(
            code=f"{city.code}-{number:04d}",
            name=f"{city.name.removesuffix('市')}{place}店",
            city=city,
            latitude=_degrees(city.latitude + north / DEGREE_METRES),
            longitude=_degrees(city.longitude + east / (DEGREE_METRES * cos(radians(city.latitude)))),
            hours=_hours(open_like),
            franchisee=int(holder * franchisees) if franchised < FRANCHISED_PERCENT else None,
        )


def _hours(percent: int) -> dict[str, list[list[str]]]:
    for share, weekday, weekend in HOURS:
        if percent < share:
            return {day: [list(weekend if day in "567" else weekday)] for day in "1234567"}
        percent -= share
    raise AssertionError("the shares of HOURS make a hundred")


def _degrees(value: float) -> Decimal:
    return Decimal(f"{value:.6f}")


def _regions(brand_id: UUID, cities: set[City]) -> dict[int, Region]:
    """Province above city, by GB code; both made in one statement each."""
    provinces = {
        code: Region(brand_id=brand_id, code=str(code), name=PROVINCES[code])
        for code in sorted({city.province for city in cities})
    }
    below = {
        city.code: Region(brand_id=brand_id, parent=provinces[city.province], code=str(city.code), name=city.name)
        for city in sorted(cities)
    }
    Region.objects.bulk_create(provinces.values())
    Region.objects.bulk_create(below.values())
    return below


def _entities(
    brand_id: UUID, planned: Sequence[GeneratedStore], *, at: datetime
) -> tuple[SettlementEntity, dict[tuple[int, int], SettlementEntity]]:
    company = SettlementEntity(
        brand_id=brand_id, code="C0001", name=f"{BRAND_NAME}餐饮管理有限公司", kind="company", created_at=at
    )
    holders = sorted({(store.city, store.franchisee) for store in planned if store.franchisee is not None})
    franchisees = {
        (city.code, number): SettlementEntity(
            brand_id=brand_id,
            code=f"F{city.code}-{number + 1:02d}",
            name=_entity_name(city, number),
            kind="franchisee",
            created_at=at,
        )
        for city, number in holders
    }
    SettlementEntity.objects.bulk_create([company, *franchisees.values()])
    return company, franchisees


def _entity_name(city: City, number: int) -> str:
    word, again = ENTITY_WORDS[number % len(ENTITY_WORDS)], number // len(ENTITY_WORDS)
    return f"{city.name.removesuffix('市')}{word}{NUMBERS[again] if again < len(NUMBERS) else again}茶饮有限公司"
