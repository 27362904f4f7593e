"""What the ids in a rule stand for, and so the rules as people read them."""

from uuid import UUID

from stores.models import Product, Region, Store, StoreGroup
from vouchers.verdict import Rule, Terms, rules_in_words


def rules_of(terms: Terms) -> list[Rule]:
    """Every rule of the terms as a sentence in both languages; at most four statements."""
    return rules_in_words(terms, names_of(terms))


def names_of(terms: Terms) -> dict[UUID, str]:
    """The names of the regions, groups, stores and products that the terms speak of."""
    scope, products = terms.scope, terms.product_scope
    instead = {one for many in terms.substitutes.values() for one in many}
    asked = (
        (Region, scope.regions | scope.except_regions),
        (StoreGroup, scope.groups | scope.except_groups),
        (Store, scope.stores | scope.except_stores),
        (Product, products.products | products.except_products | terms.substitutes.keys() | instead),
    )
    names: dict[UUID, str] = {}
    for model, ids in asked:
        if ids:
            names.update(model.objects.filter(id__in=ids).values_list("id", "name"))
    return names
