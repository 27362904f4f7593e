"""Addresses of the console."""

from django.urls import path

from config.pages.console import board, extras, installing, menu, more, redeeming, scanning, signing_in, today

app_name = "console"
urlpatterns = [
    path("", scanning.scan, name="scan"),
    path("decode/", scanning.decode, name="decode"),
    path("prepare/", scanning.prepare, name="prepare"),
    path("practise/", scanning.practise, name="practise"),
    path("basket/<str:basket>/", scanning.basket, name="basket"),
    path("basket/<str:basket>/remove/", scanning.remove, name="remove"),
    path("basket/<str:basket>/total/", redeeming.total, name="total"),
    path("basket/<str:basket>/redeem/", redeeming.redeem, name="redeem"),
    path("results/<str:result>/", redeeming.result, name="result"),
    path("results/<str:result>/undo/ask/", redeeming.ask_undo, name="ask_undo"),
    path("results/<str:result>/undo/", redeeming.undo, name="undo"),
    path("results/<str:result>/extra/", extras.extra, name="extra"),
    path("charges/<str:surcharge>/", extras.charge, name="charge"),
    path("charges/<str:surcharge>/sandbox/", extras.pay_at_sandbox, name="pay_at_sandbox"),
    path("today/", today.today, name="today"),
    path("shift/", today.shift, name="shift"),
    path("orders/", board.board, name="board"),
    path("orders/pause/ask/", board.ask_pause, name="ask_pause"),
    path("orders/pause/", board.pause, name="pause"),
    path("orders/<str:order>/reject/ask/", board.ask_reject, name="ask_reject"),
    path("orders/<str:order>/reject/", board.reject, name="reject"),
    path("orders/<str:order>/labels/", board.print_labels, name="labels"),
    *(
        path(f"orders/<str:order>/{act}/", board.move, {"act": act}, name=f"order_{act}")
        for act in ("accept", "making", "ready", "collected")
    ),
    path("menu/", menu.menu, name="menu"),
    path("menu/product/<str:id>/", menu.switch, {"kind": "product"}, name="switch_product"),
    path("menu/option/<str:id>/", menu.switch, {"kind": "option"}, name="switch_option"),
    path("more/", more.more, name="more"),
    path("tour/<int:step>/", more.tour, name="tour"),
    path("sign-in/", signing_in.sign_in, name="sign_in"),
    path("sign-out/", signing_in.sign_out, name="sign_out"),
    path("store/", signing_in.stores, name="stores"),
    path("clerk/", signing_in.clerk, name="clerk"),
    path("device/", signing_in.bind_device, name="bind_device"),
    path("manifest.webmanifest", installing.manifest, name="manifest"),
    path("sw.js", installing.service_worker, name="service_worker"),
    path("offline/", installing.offline, name="offline"),
]
