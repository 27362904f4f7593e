"""The JSON addresses of stores, below ``/api/v1/``."""

from django.urls import URLPattern, URLResolver, path

from stores.api import brands, clients, customers, entities, imports, regions, sign_in, staff, stores, webhooks

urlpatterns: list[URLPattern | URLResolver] = [
    path("brands/me", brands.MyBrands.as_view()),
    path("brands/<str:brand>", brands.OneBrand.as_view()),
    path("regions", regions.Regions.as_view()),
    path("regions/<str:region>", regions.OneRegion.as_view()),
    path("entities", entities.Entities.as_view()),
    path("entities/<str:entity>", entities.OneEntity.as_view()),
    path("stores", stores.Stores.as_view()),
    path("stores/imports", imports.StoreImports.as_view()),
    path("stores/<str:store>", stores.OneStore.as_view()),
    path("stores/<str:store>/pause", stores.PauseStore.as_view()),
    path("stores/<str:store>/reopen", stores.ReopenStore.as_view()),
    path("stores/<str:store>/close", stores.CloseStore.as_view()),
    path("stores/<str:store>/entities", entities.StoreEntities.as_view()),
    path("staff", staff.StaffList.as_view()),
    path("staff/sign-in", sign_in.SignIn.as_view()),
    path("staff/<str:staff>/end", staff.EndStaff.as_view()),
    path("staff/<str:staff>/password", staff.StaffPassword.as_view()),
    path("customers/token", customers.CustomerTokens.as_view()),
    path("api-clients", clients.Clients.as_view()),
    path("api-clients/<str:client>/revoke", clients.RevokeClient.as_view()),
    path("webhooks", webhooks.Webhooks.as_view()),
    path("webhooks/<str:webhook>", webhooks.Webhook.as_view()),
    path("webhooks/<str:webhook>/deliveries", webhooks.Deliveries.as_view()),
    path("deliveries/<str:delivery>/resend", webhooks.Resend.as_view()),
]
