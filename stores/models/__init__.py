from stores.models.people import ApiClient, Customer, CustomerIdentity, Staff
from stores.models.places import Brand, Region, SettlementEntity, Store, StoreEntity
from stores.models.webhooks import WebhookDelivery, WebhookSubscription

__all__ = [
    "ApiClient",
    "Brand",
    "Customer",
    "CustomerIdentity",
    "Region",
    "SettlementEntity",
    "Staff",
    "Store",
    "StoreEntity",
    "WebhookDelivery",
    "WebhookSubscription",
]
