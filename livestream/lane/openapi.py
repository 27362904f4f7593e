"""
The stream of live figures in the OpenAPI document.

It is the lane's alone. Whatever else the lane answers has a view of the same address for sites
without it, and is described there.
"""

from typing import Any

import msgspec

from config.kernel.api.schema import register_lane_operation
from config.kernel.api.struct_schema import REFERENCE
from config.kernel.errors import DomainError, Overloaded
from livestream.answers import LiveFigures
from livestream.errors import SessionNotFound

STREAM = (
    "Server-sent events, four a second at most: `figures` with a LiveFigures whenever one of them has moved, "
    "`closed` when the session is over; then the stream ends. A comment every 15 s of silence keeps it open."
)


def register() -> None:
    _, components = msgspec.json.schema_components([LiveFigures], ref_template=REFERENCE)
    operation = {
        "operationId": "watch_live_figures",
        "summary": "Figures of the live page as they move",
        "description": STREAM,
        "tags": ["live"],
        "security": [{}],
        "parameters": [{"in": "path", "name": "session", "required": True, "schema": {"type": "string"}}],
        "responses": {
            "200": {
                "description": "The `data` of each `figures` event.",
                "content": {"text/event-stream": {"schema": {"$ref": REFERENCE.format(name=LiveFigures.__name__)}}},
            },
            **_refusals(SessionNotFound, Overloaded),
        },
    }
    register_lane_operation("/api/v1/live/{session}/events", "get", operation, components)


def _refusals(*refusals: type[DomainError]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": REFERENCE.format(name="ErrorAnswer")}}}
    return {
        str(refusal.status): {"description": f"- `{refusal.code}`: {refusal.en}", "content": content}
        for refusal in refusals
    }
