"""Where and on what a voucher is honoured: rules, never lists of five thousand stores."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import Any
from uuid import UUID

from config.kernel.ids import parse
from stores.models import Product, Region, Store, StoreGroup

NO_GROUPS: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class StoreScope:
    """
    Where a voucher is honoured: everywhere of its brand, or in named regions (with those below), groups
    and stores; minus exclusions, which always win.

    As JSON: ``{"everywhere": true}`` or ``{"regions": ["rgn_…"], "groups": ["grp_…"], "stores": ["sto_…"]}``,
    each with ``"except_regions"``, ``"except_groups"`` and ``"except_stores"`` beside it. The empty rule is
    everywhere.
    """

    everywhere: bool
    regions: frozenset[UUID] = frozenset()
    stores: frozenset[UUID] = frozenset()
    except_regions: frozenset[UUID] = frozenset()
    except_stores: frozenset[UUID] = frozenset()
    groups: frozenset[UUID] = frozenset()
    except_groups: frozenset[UUID] = frozenset()

    def honours(self, store_id: UUID, region_ids: Collection[UUID], group_ids: Collection[UUID] = NO_GROUPS) -> bool:
        """Whether the rule takes in a store in these groups whose region and those above are ``region_ids``."""
        if store_id in self.except_stores or not self.except_regions.isdisjoint(region_ids):
            return False
        if self.except_groups and not self.except_groups.isdisjoint(group_ids):
            return False
        if self.everywhere or store_id in self.stores or not self.regions.isdisjoint(region_ids):
            return True
        return bool(self.groups) and not self.groups.isdisjoint(group_ids)

    def takes_in(self, other: "StoreScope") -> bool:
        """
        Whether every store that ``other`` honours, now or ever, is honoured here too.

        By the rules' own words: what only happens to hold with today's stores does not count.
        """
        named = all(getattr(other, word) <= getattr(self, word) for word in ("regions", "stores", "groups"))
        excepted = all(
            getattr(self, word) <= getattr(other, word) for word in ("except_regions", "except_stores", "except_groups")
        )
        return excepted and (self.everywhere or (named and not other.everywhere))


@dataclass(frozen=True, slots=True)
class ProductScope:
    """
    On what a voucher's money counts: everything, or named categories and products; minus exclusions.

    As JSON: ``{"everything": true}`` or ``{"categories": ["奶茶"], "products": ["prd_…"]}``, each with
    ``"except_products"`` beside it. The empty rule is everything.
    """

    everything: bool
    categories: frozenset[str] = frozenset()
    products: frozenset[UUID] = frozenset()
    except_products: frozenset[UUID] = frozenset()

    def takes_in(self, other: "ProductScope") -> bool:
        """Whether whatever counts by ``other`` counts here too, by the rules' own words."""
        named = other.categories <= self.categories and other.products <= self.products
        return self.except_products <= other.except_products and (self.everything or (named and not other.everything))


SCOPE_WORDS = frozenset(field.name for field in fields(StoreScope))
PRODUCT_WORDS = frozenset(field.name for field in fields(ProductScope))


def scope_of(rule: dict[str, Any]) -> StoreScope:
    """
    The store scope behind its JSON; ids in their public form.

    Raises:
        MalformedId: an id of something else.
        ValueError: a word that no rule knows.
    """
    if unknown := rule.keys() - SCOPE_WORDS:
        raise ValueError(f"a store scope knows no {sorted(unknown)}")
    named = {
        "regions": _ids(rule, "regions", Region.PREFIX),
        "stores": _ids(rule, "stores", Store.PREFIX),
        "groups": _ids(rule, "groups", StoreGroup.PREFIX),
    }
    return StoreScope(
        everywhere=bool(rule.get("everywhere", not any(named.values()))),
        **named,
        except_regions=_ids(rule, "except_regions", Region.PREFIX),
        except_stores=_ids(rule, "except_stores", Store.PREFIX),
        except_groups=_ids(rule, "except_groups", StoreGroup.PREFIX),
    )


def product_scope_of(rule: dict[str, Any]) -> ProductScope:
    """
    The product scope behind its JSON; ids in their public form.

    Raises:
        MalformedId: an id of something else.
        ValueError: a word that no rule knows, or a category that is no text.
    """
    if unknown := rule.keys() - PRODUCT_WORDS:
        raise ValueError(f"a product scope knows no {sorted(unknown)}")
    categories = frozenset(rule.get("categories", ()))
    if not all(isinstance(category, str) and category for category in categories):
        raise ValueError("a category is a text")
    products = _ids(rule, "products", Product.PREFIX)
    return ProductScope(
        everything=bool(rule.get("everything", not categories and not products)),
        categories=categories,
        products=products,
        except_products=_ids(rule, "except_products", Product.PREFIX),
    )


def _ids(rule: dict[str, Any], key: str, prefix: str) -> frozenset[UUID]:
    named = rule.get(key, ())
    if not isinstance(named, list | tuple):
        raise ValueError(f"{key} is a list of ids")
    return frozenset(parse(prefix, public_id) for public_id in named)
