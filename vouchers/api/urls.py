"""The JSON addresses of vouchers, below ``/api/v1/``."""

from django.urls import URLPattern, URLResolver, path

from vouchers.api import amendments, counter, deals, grants, issuers, offers, switches, wallet, withdrawing

urlpatterns: list[URLPattern | URLResolver] = [
    path("deals", deals.Deals.as_view()),
    path("deals/<str:deal>", deals.OneDeal.as_view()),
    path("deals/<str:deal>/total", deals.DealTotal.as_view()),
    path("deals/<str:deal>/terms", deals.DealTermsList.as_view()),
    path("terms/<str:terms>/rules", amendments.TermsRules.as_view()),
    path("terms/<str:terms>/amendments", amendments.Amendments.as_view()),
    path("offers", offers.Offers.as_view()),
    path("offers/<str:offer>", offers.OneOffer.as_view()),
    path("offers/<str:offer>/open", offers.OpenOffer.as_view()),
    path("offers/<str:offer>/pause", offers.PauseOffer.as_view()),
    path("offers/<str:offer>/resume", offers.ResumeOffer.as_view()),
    path("offers/<str:offer>/close", offers.CloseOffer.as_view()),
    path("offers/<str:offer>/allotment", offers.OfferAllotment.as_view()),
    path("grants", grants.Grants.as_view()),
    path("grants/preview", grants.GrantPreview.as_view()),
    path("grants/<str:grant>", grants.OneGrant.as_view()),
    path("grants/<str:grant>/reversal", grants.GrantReversal.as_view()),
    path("products/<str:product>/terms", withdrawing.ProductTerms.as_view()),
    path("products/<str:product>/vouchers", withdrawing.ProductVouchers.as_view()),
    path("products/<str:product>/withdraw", withdrawing.WithdrawProduct.as_view()),
    path("stores/<str:store>/only-here", withdrawing.StoreOnlyTerms.as_view()),
    path("stores/<str:store>/only-here/vouchers", withdrawing.StoreOnlyVouchers.as_view()),
    path("recalls", withdrawing.Recalls.as_view()),
    path("selling/stop", switches.StopSelling.as_view()),
    path("selling/resume", switches.ResumeSelling.as_view()),
    path("issuers/<str:issuer>/account", issuers.Account.as_view()),
    path("issuers/<str:issuer>/stores/<str:store>", issuers.StoreName.as_view()),
    path("issuers/<str:issuer>/products/<str:product>", issuers.Product.as_view()),
    path("vouchers", wallet.Wallet.as_view()),
    path("vouchers/<str:voucher>", wallet.OneVoucher.as_view()),
    path("vouchers/<str:voucher>/qr", wallet.VoucherQr.as_view()),
    path("stores/<str:store>/redemptions/prepare", counter.PrepareRedemption.as_view()),
    path("stores/<str:store>/redemptions", counter.StoreRedemptions.as_view()),
    path("redemption-requests/<str:redemption_request>", counter.OneRequest.as_view()),
    path("redemptions/<str:redemption>/reversal", counter.Reversal.as_view()),
]
