"""Who is calling, from the request's credentials."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from config.accounts.caller import Caller


class CallerAuthentication(BaseAuthentication):
    """Bearer tokens of customers and staff, and API keys of a brand's programs."""

    def authenticate(self, request: Request) -> tuple[Caller, None] | None:
        return None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
