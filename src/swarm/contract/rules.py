"""Rules that hold in two places: in Python here, and in the CRD as the API server reads it.

Each annotation of this module carries both halves, so that neither can be changed alone:

    every: Annotated[timedelta, Span(least="1s", most="8760h")]

pydantic asks it for a validator (`__get_pydantic_core_schema__`) and the CRD renderer asks the
same object for a schema (`__get_pydantic_json_schema__`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import PydanticCustomError, core_schema

from swarm.contract.duration import (
    MAX_LENGTH,
    PATTERN,
    format_duration,
    parse_duration,
    parse_nanoseconds,
)
from swarm.contract.errors import InvalidDuration

CEL = "x-kubernetes-validations"
LIST_TYPE = "x-kubernetes-list-type"
LIST_KEYS = "x-kubernetes-list-map-keys"
RULE_BROKEN = "rule_broken"
"""The pydantic error type of every refusal below; its context holds `wrong`, `right` and `at`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a rule found.

    at:    where below the annotated value: list positions and field names, outermost first.
    wrong: what is wrong, one clause.
    right: what would be right, one clause.
    """

    at: tuple[int | str, ...] = ()
    wrong: str
    right: str

    def error(self) -> PydanticCustomError:
        """The refusal, in the form that pydantic collects."""
        context = {"at": list(self.at), "wrong": self.wrong, "right": self.right}
        return PydanticCustomError(RULE_BROKEN, "{wrong}; {right}", context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A duration between two bounds, both included. `timedelta` in Python, Go text outside."""

    least: str
    most: str

    def __get_pydantic_core_schema__(
        self, _source: object, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                format_duration, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, _schema: core_schema.CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        bounds = f"duration(self) >= duration('{self.least}')"
        bounds += f" && duration(self) <= duration('{self.most}')"
        message = f"must be a duration from {self.least} to {self.most}, such as 5m or 1h30m"
        return {
            "type": "string",
            "pattern": PATTERN,
            "maxLength": MAX_LENGTH,
            CEL: [{"rule": bounds, "message": message}],
        }

    def read(self, value: object) -> timedelta:
        """The span that a manifest's text (or a Python timedelta) names, within the bounds."""
        wanted = f"write a duration from {self.least} to {self.most}, such as 5m or 1h30m"
        if isinstance(value, timedelta):
            span, nanoseconds = value, value // timedelta(microseconds=1) * 1_000
        elif isinstance(value, str):
            try:
                span, nanoseconds = parse_duration(value), parse_nanoseconds(value)
            except InvalidDuration as refusal:
                raise Fault(wrong=refusal.wrong, right=wanted).error() from None
        else:
            kind = "true or false" if isinstance(value, bool) else type(value).__name__
            raise Fault(wrong=f"a duration is a text, this is {kind}", right=wanted).error()
        # Compared in nanoseconds: cut to microseconds, 8760h plus 1 ns would pass here and be
        # refused by the API server.
        if nanoseconds < parse_nanoseconds(self.least):
            raise Fault(wrong=f"{value} is shorter than {self.least}", right=wanted).error()
        if nanoseconds > parse_nanoseconds(self.most):
            raise Fault(wrong=f"{value} is longer than {self.most}", right=wanted).error()
        return span


@dataclass(frozen=True, slots=True, kw_only=True)
class Distinct:
    """A list in which no item (or no item's `key` field) comes twice.

    key: alias of the field that must differ; None compares whole items. The attribute of the
         same name must exist on the items, so only one-word aliases will do.
    """

    key: str | None = None

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        rendered = dict(handler(schema))
        rendered[LIST_TYPE] = "map" if self.key else "set"
        if self.key:
            rendered[LIST_KEYS] = [self.key]
        return rendered

    def check(self, items: Sequence[Any]) -> Sequence[Any]:
        """The items unchanged, or a refusal that points at the second of two equals."""
        first_seen: dict[Any, int] = {}
        for position, item in enumerate(items):
            value = getattr(item, self.key) if self.key else item
            if value in first_seen:
                at = (position, self.key) if self.key else (position,)
                wrong = f"{value!r} already stands at position {first_seen[value]}"
                raise Fault(at=at, wrong=wrong, right="write each entry once").error()
            first_seen[value] = position
        return items


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition over several values: a CEL expression and the Python that means the same.

    cel:     an expression in core CEL (no Kubernetes library functions), true when all is well.
    message: what the API server prints when the expression is false.
    find:    the same condition in Python; None when all is well.
    """

    cel: str
    message: str
    find: Callable[[Any], Fault | None]

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        rendered = dict(handler(schema))
        before = rendered.get(CEL, [])
        rendered[CEL] = [*before, {"rule": self.cel, "message": self.message}]
        return rendered

    def check(self, value: Any) -> Any:
        """The value unchanged, or a refusal that says where and why."""
        fault = self.find(value)
        if fault is not None:
            raise fault.error()
        return value
