"""Who may call at all; what exactly she may touch is part of each look-up."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:  # rest_framework.views imports this module while it is being made
    from rest_framework.views import APIView


class IsAuthenticated(BasePermission):
    """Anybody with valid credentials."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        return request.user is not None
