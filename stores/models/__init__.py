from stores.models.devices import Device, Pin
from stores.models.groups import StoreGroup, StoreGroupMember
from stores.models.holidays import HolidayCalendar
from stores.models.invitations import Invitation
from stores.models.ordering import OrderingRule, PickupSlot
from stores.models.people import ApiClient, Customer, CustomerIdentity, Staff
from stores.models.places import Brand, BrandPicture, Region, SettlementEntity, Store, StoreEntity
from stores.models.products import (
    Option,
    OptionGroup,
    Product,
    ProductOptionGroup,
    ProductSubstitute,
    StoreOption,
    StoreProduct,
)
from stores.models.recipes import MaterialUse, Recipe, RecipeLine
from stores.models.sign_in import MOST_WRONG_TRIES, CustomerSession, PhoneCode
from stores.models.stock import DailyTally, StockLevel, StockMode, StockMovement, StockReservation
from stores.models.stock_acts import StockAct, StockTransfer
from stores.models.substitutes import SoldOutSubstitute, Substitution
from stores.models.webhooks import WebhookDelivery, WebhookSubscription

__all__ = [
    "MOST_WRONG_TRIES",
    "ApiClient",
    "Brand",
    "BrandPicture",
    "Customer",
    "CustomerIdentity",
    "CustomerSession",
    "DailyTally",
    "Device",
    "HolidayCalendar",
    "Invitation",
    "MaterialUse",
    "Option",
    "OptionGroup",
    "OrderingRule",
    "PhoneCode",
    "PickupSlot",
    "Pin",
    "Product",
    "ProductOptionGroup",
    "ProductSubstitute",
    "Recipe",
    "RecipeLine",
    "Region",
    "SettlementEntity",
    "SoldOutSubstitute",
    "Staff",
    "StockAct",
    "StockLevel",
    "StockMode",
    "StockMovement",
    "StockReservation",
    "StockTransfer",
    "Store",
    "StoreEntity",
    "StoreGroup",
    "StoreGroupMember",
    "StoreOption",
    "StoreProduct",
    "Substitution",
    "WebhookDelivery",
    "WebhookSubscription",
]
