"""How operations are described in the OpenAPI document."""

from typing import Any

from drf_spectacular.openapi import AutoSchema


class HexiaoSchema(AutoSchema):
    """drf-spectacular's schema with the project's own conventions."""


def add_lane_operations(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Put the operations that the lane answers outside Django into the document."""
    return result
