"""The API's own description as a generator of requests, sown with ids that are there."""

import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.world import Side

SEED = 20_261_122
EXAMPLES = int(os.environ.get("HEXIAO_API_EXAMPLES", "4"))
"""Of each operation, right and wrong each; .ci/run asks for twice as many."""

ANSWERS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
NAMED = {
    "brand": "brand",
    "store": "store",
    "region": "region",
    "parent": "region",
    "entity": "entity",
    "deal": "deal",
    "terms": "terms",
    "offer": "offer",
    "session": "session",
    "promoter": "promoter",
    "product": "product",
}
"""Fields of bodies and queries that name a row, and whose."""


def sown(document: dict[str, Any], side: Side) -> dict[str, Any]:
    """
    The document with real ids where a request names something.

    Without them nothing but 404 would ever be reached; wrong requests still carry wrong ones.
    """
    made = copy.deepcopy(document)
    for path, of_path in made["paths"].items():
        for operation in of_path.values():
            for parameter in operation.get("parameters", []):
                name = parameter["name"]
                if parameter["in"] == "path" and name == "product" and path.startswith("/api/v1/issuers/"):
                    continue  # another platform's name for it: any text is one
                if parameter["in"] == "path":
                    parameter["schema"] = {"type": "string", "enum": [side.named(name, path, is_other=False)]}
                elif parameter["in"] == "query":
                    _sow(parameter, "schema", name, side)
    for name, component in made["components"]["schemas"].items():
        if name not in _answers(made):
            for field_name in component.get("properties", {}):
                _sow(component["properties"], field_name, field_name, side)
    return made


def _sow(owner: dict[str, Any], key: str, name: str, side: Side) -> None:
    if name in NAMED:
        owner[key] = {"type": "string", "enum": [getattr(side, NAMED[name]).public_id]}


def _answers(document: dict[str, Any]) -> set[str]:
    """Names of the components that answers are made of: those stay as promised."""
    found: set[str] = set()

    def follow(node: Any) -> None:
        if isinstance(node, dict):
            name = str(node.get("$ref", "")).rpartition("/")[2]
            if name and name not in found and name in document["components"]["schemas"]:
                found.add(name)
                follow(document["components"]["schemas"][name])
            for inner in node.values():
                follow(inner)
        elif isinstance(node, list):
            for inner in node:
                follow(inner)

    for of_path in document["paths"].values():
        for operation in of_path.values():
            follow(operation["responses"])
    return found


def operations_of(document: dict[str, Any], application: Any) -> dict[str, APIOperation]:
    schema = schemathesis.openapi.from_dict(document)
    schema.app = application  # no socket: the site is called in this process
    # Who calls is the sender's to say: credentials made up beside would be none that the site ever sees.
    schema.config.generation.update(with_security_parameters=False)
    return {
        operation.definition.raw["operationId"]: operation
        for result in schema.get_all_operations()
        if (operation := result.ok())
    }


Send = Callable[[Case], Any]


def wrong_is_refused(ctx: Any, response: Any, case: Any) -> bool | None:
    """``negative_data_rejection``, but where a text has spaces around it: it is measured without them."""
    if any(text != text.strip() for text in _texts(case.body)):
        return None
    return negative_data_rejection(ctx, response, case)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part)


@dataclass
class Fuzz:
    """Every request of one operation that is made up, sent as one caller."""

    operation: APIOperation
    send: Send
    reached: set[int] = field(default_factory=set)

    def right(self, examples: int = EXAMPLES) -> None:
        """Requests as described: whatever is answered is described, too."""
        self._run(GenerationMode.POSITIVE, examples, ANSWERS)

    def wrong(self, examples: int = EXAMPLES) -> None:
        """Requests that break the description: refused."""
        self._run(GenerationMode.NEGATIVE, examples, [*ANSWERS, wrong_is_refused])

    def _run(self, mode: GenerationMode, examples: int, checks: list[Any]) -> None:
        @seed(SEED)
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        @given(case=self.operation.as_strategy(generation_mode=mode))
        def each(case: Case) -> None:
            self.look(case, checks)

        each()

    def look(self, case: Case, checks: list[Any]) -> None:
        answer = self.send(case)
        self.reached.add(answer.status_code)
        case.validate_response(answer, checks=checks)


def takes_wrong(operation: APIOperation) -> bool:
    """Whether a request of this operation can break its description at all."""
    return bool(operation.body or operation.query or operation.path_parameters)
