"""The JSON addresses of livestream, below ``/api/v1/``."""

from django.urls import URLPattern, URLResolver, path

from livestream.api import commission_plans, listings, live, promoters, sessions

urlpatterns: list[URLPattern | URLResolver] = [
    path("sessions", sessions.Sessions.as_view()),
    path("sessions/<str:session>", sessions.OneSession.as_view()),
    path("sessions/<str:session>/open", sessions.OpenSession.as_view()),
    path("sessions/<str:session>/pause", sessions.PauseSession.as_view()),
    path("sessions/<str:session>/resume", sessions.ResumeSession.as_view()),
    path("sessions/<str:session>/close", sessions.CloseSession.as_view()),
    path("sessions/<str:session>/kill", sessions.SessionKill.as_view()),
    path("sessions/<str:session>/listings", listings.SessionListings.as_view()),
    path("listings/<str:listing>", listings.OneListing.as_view()),
    path("promoters", promoters.Promoters.as_view()),
    path("promoters/<str:promoter>/end", promoters.EndPromoter.as_view()),
    path("commission-plans", commission_plans.CommissionPlans.as_view()),
    path("commission-plans/<str:plan>/end", commission_plans.EndCommissionPlan.as_view()),
    path("live/<str:session>", live.Live.as_view()),
    path("live/<str:session>/purchases", live.Purchases.as_view()),
]
