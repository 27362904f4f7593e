"""Addresses of a brand's shop, below ``/shop/{brand}/``."""

from django.urls import path

from config.pages.shop import confirming, live, looks, ordering, orders, paying, places, signing_in, wallet

app_name = "shop"
urlpatterns = [
    path("", live.live, name="live"),
    path("listings/", live.listings, name="listings"),
    path("listings/<str:listing>/", live.deal, name="deal"),
    path("live/<str:session>/buy/", live.buy_one, name="buy"),
    path("purchases/<str:purchase>/", live.purchase, name="purchase"),
    path("pay/<str:payment>/", paying.pay, name="pay"),
    path("sign-in/", signing_in.sign_in, name="sign_in"),
    path("sign-in/code/", signing_in.code, name="code"),
    path("sign-out/", signing_in.sign_out, name="sign_out"),
    path("me/", signing_in.me, name="me"),
    path("wallet/", wallet.vouchers, name="wallet"),
    path("wallet/<str:voucher>/", wallet.ticket, name="ticket"),
    path("wallet/<str:voucher>/code/", wallet.code, name="ticket_code"),
    path("wallet/<str:voucher>/rules/", wallet.rules, name="rules"),
    path("wallet/<str:voucher>/refund/", wallet.refund, name="refund"),
    path("wallet/<str:voucher>/use/", ordering.use, name="use"),
    path("stores/", places.stores, name="stores"),
    path("stores/choose/", places.choose, name="choose_store"),
    path("stores/here/", places.here, name="here"),
    path("menu/", ordering.menu, name="menu"),
    path("menu/<str:product>/", ordering.product, name="product"),
    path("cart/", ordering.cart, name="cart"),
    path("cart/edit/", ordering.edit_cart, name="edit_cart"),
    path("confirm/", confirming.confirm, name="confirm"),
    path("confirm/slot/", confirming.choose_slot, name="choose_slot"),
    path("orders/", orders.orders, name="orders"),
    path("orders/<str:order>/", orders.order, name="order"),
    path("orders/<str:order>/cancel/", orders.cancel, name="cancel"),
    path("orders/<str:order>/collected/", orders.collected, name="collected"),
    path("theme.<str:name>.css", looks.theme, name="theme"),
    path("pictures/<str:name>.webp", looks.picture, name="picture"),
]
