"""A store's menu as one object: what can be ordered there, at which price, with which answers."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Case, F, FilteredRelation, IntegerField, Q, When
from django.db.models.functions import Coalesce

from config.kernel.ids import public
from stores.business_days import business_date
from stores.errors import OptionNotFound, OptionsDoNotFit, ProductNotFound, ProductSoldOut
from stores.models import Option, OptionGroup, Product, ProductOptionGroup, StockMode, Store


@dataclass(frozen=True, slots=True)
class MenuOption:
    """``price_delta_fen`` as it is at this store."""

    option_id: UUID
    code: str
    name: str
    name_en: str
    price_delta_fen: int
    is_default: bool
    is_sold_out: bool

    @property
    def public_id(self) -> str:
        return public(Option.PREFIX, self.option_id)


@dataclass(frozen=True, slots=True)
class MenuGroup:
    group_id: UUID
    code: str
    name: str
    name_en: str
    choose_least: int
    choose_most: int
    options: tuple[MenuOption, ...]

    @property
    def public_id(self) -> str:
        return public(OptionGroup.PREFIX, self.group_id)

    @property
    def is_required(self) -> bool:
        return self.choose_least > 0


@dataclass(frozen=True, slots=True)
class MenuProduct:
    """``price_fen`` as it is at this store, before any option; ``left`` is None where nobody counts."""

    product_id: UUID
    code: str
    name: str
    name_en: str
    categories: tuple[str, ...]
    price_fen: int
    is_sold_out: bool
    groups: tuple[MenuGroup, ...]
    left: int | None = None

    @property
    def public_id(self) -> str:
        return public(Product.PREFIX, self.product_id)


@dataclass(frozen=True, slots=True)
class Chosen:
    """
    A product with its answers at a store: ``unit_fen`` is what one of it costs there.

    Made ``instead_of`` another that is sold out, it is priced and paid by vouchers as that one.
    """

    product: MenuProduct
    options: tuple[MenuOption, ...]
    instead_of: MenuProduct | None = None

    @property
    def priced_as(self) -> MenuProduct:
        return self.instead_of or self.product

    @property
    def unit_fen(self) -> int:
        return max(0, self.priced_as.price_fen + sum(option.price_delta_fen for option in self.options))


@dataclass(frozen=True, slots=True)
class Menu:
    """What a store offers now; products in the brand's order, sold-out ones included and marked."""

    store_id: UUID
    products: tuple[MenuProduct, ...]

    @property
    def store_public_id(self) -> str:
        return public(Store.PREFIX, self.store_id)

    def choose(self, product_id: UUID, option_ids: Collection[UUID]) -> Chosen:
        """
        The product with these answers, the defaults standing in where a question was not answered.

        Raises:
            ProductNotFound, OptionNotFound: not on this menu, or not an answer to one of its questions.
            ProductSoldOut: it, or one of the answers, is sold out here.
            OptionsDoNotFit: too few or too many answers to a question.
        """
        product = self.find(product_id)
        if product is None:
            raise ProductNotFound(param="product")
        asked = set(option_ids)
        chosen: list[MenuOption] = []
        for group in product.groups:
            answers = [option for option in group.options if option.option_id in asked]
            answers = answers or [option for option in group.options if option.is_default and not option.is_sold_out]
            if not group.choose_least <= len(answers) <= group.choose_most:
                raise OptionsDoNotFit(
                    param="options", group=group.name, choose_least=group.choose_least, choose_most=group.choose_most
                )
            chosen += answers
        if asked - {option.option_id for option in chosen}:
            raise OptionNotFound(param="options")
        if product.is_sold_out:
            raise ProductSoldOut(name=product.name, product=product.public_id)
        if gone := [option for option in chosen if option.is_sold_out]:
            raise ProductSoldOut(name=gone[0].name)
        return Chosen(product, tuple(chosen))

    def find(self, product_id: UUID) -> MenuProduct | None:
        """The product, sold out or not; None where it is not on this menu."""
        return next((one for one in self.products if one.product_id == product_id), None)


def menu_of(store: Store, *, at: datetime) -> Menu:
    """
    The menu of a store: four statements, however long it is.

    Withdrawn products and those that the brand does not sell are not on it; what the store alone has run out
    of is, and says so: switched off, counted and none left, or past its limit of the business day.
    """
    today = business_date(hours=store.hours, zone=store.zone, at=at)
    groups = _groups(store)
    asked: defaultdict[UUID, list[MenuGroup]] = defaultdict(list)
    links = ProductOptionGroup.objects.filter(product__brand_id=store.brand_id).order_by("position", "id")
    for product_id, group_id in links.values_list("product_id", "group_id"):
        asked[product_id].append(groups[group_id])
    here = Product.objects.filter(brand_id=store.brand_id, is_sold=True, withdrawn_at__isnull=True).annotate(
        here=FilteredRelation("store_products", condition=Q(store_products__store=store)),
        price_here=Coalesce(F("here__price_fen"), F("price_fen")),
        sold_out_here=F("here__sold_out_at"),
        level=FilteredRelation("stock_levels", condition=Q(stock_levels__store=store)),
        tally=FilteredRelation(
            "daily_tallies", condition=Q(daily_tallies__store=store, daily_tallies__business_date=today)
        ),
        left_here=Case(
            When(level__mode=StockMode.COUNTED, then=F("level__on_hand") - F("level__reserved")),
            When(level__mode=StockMode.DAILY_LIMIT, then=F("level__daily_limit") - Coalesce(F("tally__taken"), 0)),
            output_field=IntegerField(),
        ),
    )
    return Menu(
        store_id=store.id,
        products=tuple(
            MenuProduct(
                product_id=product.id,
                code=product.code,
                name=product.name,
                name_en=product.name_en,
                categories=tuple(product.categories),
                price_fen=product.price_here,
                is_sold_out=product.sold_out_here is not None
                or (product.left_here is not None and product.left_here <= 0),
                groups=tuple(asked[product.id]),
                left=product.left_here,
            )
            for product in here.order_by("position", "code")
        ),
    )


def _groups(store: Store) -> dict[UUID, MenuGroup]:
    """Every question of the brand with its answers here; a brand has dozens."""
    answers: defaultdict[UUID, list[MenuOption]] = defaultdict(list)
    here = Option.objects.filter(group__brand_id=store.brand_id, is_sold=True, withdrawn_at__isnull=True).annotate(
        here=FilteredRelation("store_options", condition=Q(store_options__store=store)),
        delta_here=Coalesce(F("here__price_delta_fen"), F("price_delta_fen")),
        sold_out_here=F("here__sold_out_at"),
    )
    for option in here.order_by("position", "code"):
        answers[option.group_id].append(
            MenuOption(
                option_id=option.id,
                code=option.code,
                name=option.name,
                name_en=option.name_en,
                price_delta_fen=option.delta_here,
                is_default=option.is_default,
                is_sold_out=option.sold_out_here is not None,
            )
        )
    return {
        group.id: MenuGroup(
            group_id=group.id,
            code=group.code,
            name=group.name,
            name_en=group.name_en,
            choose_least=group.choose_least,
            choose_most=group.choose_most,
            options=tuple(answers[group.id]),
        )
        for group in OptionGroup.objects.filter(brand_id=store.brand_id)
    }
