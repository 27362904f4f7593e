"""Which language a page speaks: what was chosen (a cookie), else what the browser asks for, else Chinese."""

from django.http import HttpRequest, HttpResponse

from config.kernel.api.exceptions import language_of
from config.pages.design.words import Language

COOKIE = "hexiao_language"
COOKIE_SECONDS = 365 * 24 * 60 * 60
TAGS = {"zh": "zh-Hans", "en": "en"}


def language_for(request: HttpRequest) -> Language:
    if (chosen := request.COOKIES.get(COOKIE)) in TAGS:
        return "en" if chosen == "en" else "zh"
    return "en" if language_of(request.headers.get("Accept-Language", "")) == "en" else "zh"


def remember(response: HttpResponse, language: Language, *, secure: bool) -> None:
    response.set_cookie(COOKIE, language, max_age=COOKIE_SECONDS, secure=secure, httponly=True, samesite="Lax")


def context(request: HttpRequest) -> dict[str, str]:
    """Template context: ``language`` (zh, en) and ``lang``, the tag for the html element."""
    language = language_for(request)
    return {"language": language, "lang": TAGS[language]}
