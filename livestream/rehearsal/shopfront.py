"""The brand's shop as customers find it: its colours, a menu to order from, and a customer with vouchers."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from livestream.rehearsal.chain import INSTALLER
from stores.services import customers, options, products, theming
from stores.services.options import NewOption
from stores.services.products import NewProduct
from vouchers.models import Voucher

SEED = "#0C6170"
PHONE = "13800000000"
"""Who signs in with it holds vouchers; any other phone is a new customer."""

DRINKS = (
    ("oolong", "屿见乌龙奶茶", "Oolong milk tea", "奶茶", 1_600),
    ("jasmine", "茉莉雪芽奶茶", "Jasmine milk tea", "奶茶", 1_500),
    ("lime", "栀香青柠", "Gardenia lime", "鲜果茶", 1_800),
    ("grape", "海盐芝士青提", "Sea salt cheese grape", "鲜果茶", 2_100),
    ("peach", "初雪白桃", "First snow peach", "鲜果茶", 1_900),
    ("americano", "岛屿美式", "Island americano", "咖啡", 1_200),
)
SIZES = (("medium", "中杯", "Medium", 0), ("large", "大杯", "Large", 300))
ICES = (("less-ice", "少冰", "Less ice", 0), ("no-ice", "去冰", "No ice", 0), ("usual-ice", "标准冰", "Usual ice", 0))
TOPPINGS = (("pearls", "加珍珠", "Pearls", 200), ("coconut", "加椰果", "Coconut jelly", 200))


def furnish(*, brand_id: UUID, at: datetime) -> None:
    """Colours and a menu, through the services that an owner uses."""
    theming.set_theme(brand_id=brand_id, seed=SEED, hero=None, by=INSTALLER, at=at)
    groups = [
        _ask(brand_id, "size", "规格", "Size", 1, 1, SIZES, at=at),
        _ask(brand_id, "ice", "冰量", "Ice", 1, 1, ICES, at=at),
        _ask(brand_id, "topping", "加料", "Toppings", 0, 2, TOPPINGS, at=at),
    ]
    for position, (code, name, name_en, category, price_fen) in enumerate(DRINKS):
        new = NewProduct(
            code=code,
            name=name,
            name_en=name_en,
            categories=[category],
            price_fen=price_fen,
            is_sold=True,
            position=position,
            group_ids=groups,
        )
        products.create(brand_id=brand_id, new=new, by=INSTALLER, at=at)


def let_somebody_in(*, brand_id: UUID) -> str | None:
    """Give the phone to a customer with vouchers to use; None where nobody has any left."""
    hers = Voucher.objects.filter(brand_id=brand_id, status=Voucher.Status.ISSUED).select_related("customer").first()
    if hers is None:
        return None
    with transaction.atomic():
        customers.keep_phone(customer=hers.customer, number=f"+86{PHONE}")
    return PHONE


def _ask(
    brand_id: UUID,
    code: str,
    name: str,
    name_en: str,
    least: int,
    most: int,
    answers: tuple[tuple[str, str, str, int], ...],
    *,
    at: datetime,
) -> UUID:
    group = options.create_group(
        brand_id=brand_id,
        code=code,
        name=name,
        name_en=name_en,
        choose_least=least,
        choose_most=most,
        by=INSTALLER,
        at=at,
    ).row
    for position, (answer, its_name, its_name_en, delta_fen) in enumerate(answers):
        new = NewOption(
            code=answer,
            name=its_name,
            name_en=its_name_en,
            price_delta_fen=delta_fen,
            is_default=least > 0 and position == 0,
            position=position,
        )
        options.add(group_id=group.id, new=new, by=INSTALLER, at=at)
    return group.id
