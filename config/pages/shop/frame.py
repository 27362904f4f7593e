"""What every page of a brand's shop stands in: whose shop it is, who is there, how it looks, what she was just told."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, update_wrapper
from typing import Any, Concatenate, Literal, ParamSpec
from uuid import UUID, uuid4

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from config.kernel.api.throttling import address_behind
from config.kernel.errors import DomainError
from config.pages.design import faults
from config.pages.design.language import language_for
from config.pages.design.views import safe_next
from config.pages.design.words import Language
from stores.models import Brand, BrandPicture, Customer
from stores.queries import customer_of_session

COOKIE = "hexiao_customer"
TOLD = "shop.told"
Tone = Literal["plain", "stop", "done", "wait"]
Given = ParamSpec("Given")


@dataclass(frozen=True)
class Picture:
    """Where a brand's picture is, and its size, so that the page does not move when it comes."""

    url: str
    width: int
    height: int


@dataclass(frozen=True)
class Visit:
    """A request to a brand's shop: the brand, who is signed in, the moment, the language."""

    request: HttpRequest = field(repr=False)
    brand: Brand
    customer: Customer | None
    at: datetime
    language: Language

    @property
    def customer_id(self) -> UUID:
        assert self.customer is not None, "a page for customers alone"
        return self.customer.id

    @property
    def address(self) -> str:
        peer = str(self.request.META.get("REMOTE_ADDR", ""))
        return address_behind(str(self.request.META.get("HTTP_X_FORWARDED_FOR", "")), peer=peer)

    @property
    def is_htmx(self) -> bool:
        return bool(getattr(self.request, "htmx", False))

    @cached_property
    def theme_url(self) -> str:
        """The brand's colours under a name that changes with them; empty where it has none of its own."""
        if "light" not in self.brand.theme:
            return ""
        return self.url("theme", theme_hash(self.brand.theme))

    @cached_property
    def pictures(self) -> Mapping[str, Picture]:
        rows = BrandPicture.objects.filter(brand=self.brand).values_list("kind", "content_hash", "width", "height")
        return {kind: Picture(self.url("picture", name), width, height) for kind, name, width, height in rows}

    def url(self, name: str, *args: Any) -> str:
        return reverse(f"shop:{name}", args=[self.brand.slug, *args])

    def go(self, name: str, *args: Any, **query: Any) -> HttpResponse:
        """On to another page of this shop, by GET: a reload or a step back repeats nothing."""
        address = self.url(name, *args) + (f"?{urlencode(query)}" if query else "")
        return HttpResponseRedirect(address, status=303)

    def tell(self, sentence: str, tone: Tone = "plain") -> None:
        """Say something on the next page that she sees."""
        self.request.session[TOLD] = {"sentence": sentence, "tone": tone}

    def tell_refusal(self, error: DomainError) -> None:
        self.tell(error.message(self.language), "stop")

    def page(self, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200) -> HttpResponse:
        """A page of this shop; ``key`` is fresh, for the one thing that its form will do."""
        told = self.request.session.pop(TOLD, None)
        shown = {"visit": self, "brand": self.brand, "told": told, "key": str(uuid4()), "now": self.at}
        response = render(self.request, f"shop/{template}", {**shown, **(context or {})}, status=status)
        # Hers alone, and as it is now: a step back asks again and never shows what is over.
        response.setdefault("Cache-Control", "private, no-store")
        return response


Page = Callable[Concatenate[Visit, Given], HttpResponse]
View = Callable[..., HttpResponse]  # Django names what an address captured, which no Concatenate can say


def open_to_all(page: Page[Given]) -> View:
    """A page of a shop for whoever comes: ``page(visit, …)``. A refusal is a page that says so."""

    def shown(request: HttpRequest, slug: str, *args: Given.args, **kwargs: Given.kwargs) -> HttpResponse:
        visit = visit_of(request, slug)
        try:
            return page(visit, *args, **kwargs)
        except DomainError as error:
            return faults.refused(request, error)

    update_wrapper(shown, page)
    return shown


def for_customers(page: Page[Given]) -> View:
    """A page for who is signed in; who is not is asked to, and comes back to it."""

    def asked(visit: Visit, /, *args: Given.args, **kwargs: Given.kwargs) -> HttpResponse:
        return page(visit, *args, **kwargs) if visit.customer else ask_to_sign_in(visit)

    update_wrapper(asked, page)
    return open_to_all(asked)


def visit_of(request: HttpRequest, slug: str) -> Visit:
    """
    Raises:
        Http404: there is no such shop.
    """
    brand = Brand.objects.filter(slug=slug).first()
    if brand is None:
        raise Http404
    at = timezone.now()
    key = request.COOKIES.get(COOKIE, "")
    customer = customer_of_session(key, brand_id=brand.id, at=at) if key else None
    return Visit(request, brand, customer, at, language_for(request))


def ask_to_sign_in(visit: Visit) -> HttpResponse:
    """To the sign-in page and back: to the page itself, or to the one whose form was sent."""
    request = visit.request
    if request.method == "GET" and not visit.is_htmx:
        came_for = request.get_full_path()
    else:
        host = f"{request.scheme}://{request.get_host()}"
        came_for = request.headers.get("Referer", "").removeprefix(host)
    query = urlencode({"next": safe_next(came_for, request, otherwise=visit.url("live"), under=visit.url("live"))})
    address = f"{visit.url('sign_in')}?{query}"
    if visit.is_htmx:
        return HttpResponse(status=204, headers={"HX-Redirect": address})
    return HttpResponseRedirect(address, status=303)


def key_of(request: HttpRequest) -> UUID:
    """
    The key that was made with the form, which makes sending it twice one act.

    Raises:
        Http404: somebody wrote the form herself.
    """
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError:
        raise Http404 from None


def theme_hash(theme: Mapping[str, Any]) -> str:
    told = json.dumps([theme["light"], theme["dark"]], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:12]
