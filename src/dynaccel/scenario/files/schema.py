# SPDX-License-Identifier: GPL-2.0-or-later
"""The JSON Schema of scenario files, for editors that check and complete TOML."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import GenerateJsonSchema

from dynaccel.scenario.files.kinds import KINDS, Keys, Kinds
from dynaccel.scenario.files.shape import NAMED, ScenarioTable
from dynaccel.scenario.files.values import NAME_PATTERN
from dynaccel.scenario.model import JobKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import CoreSchema

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TITLE = "dynaccel scenario"
_ENDS = ("for", "until", "until-file", "until-job")


class _Generator(GenerateJsonSchema):
    """Pydantic's, with no titles but those of the kinds of values."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave a field without a title."""
        del schema
        return False

    def generate(self, schema: CoreSchema, mode: Any = "validation") -> dict[str, Any]:
        """Return the schema without what TOML does not have."""
        made: dict[str, Any] = _without_null(super().generate(schema, mode))
        return made


def json_schema() -> dict[str, Any]:
    """Return the schema of a scenario file."""
    made = ScenarioTable.model_json_schema(schema_generator=_Generator)
    tables = made.pop("$defs")
    for name, kind in NAMED.items():
        tables[kind.__name__]["allOf"] = list(_conditions(KINDS[name]))
        if KINDS[name].needs_kind:
            tables[kind.__name__]["required"] = ["kind"]
        made["properties"][name]["propertyNames"] = {"pattern": NAME_PATTERN}
    tables["JobTable"]["required"] = ["command"]
    tables["PhaseTable"] |= {
        "required": ["ratio"],
        "oneOf": [{"required": [key]} for key in _ENDS],
    }
    made["properties"]["phase"]["minItems"] = 1
    return {
        "$schema": DIALECT,
        **made,
        "title": TITLE,
        "required": ["name", "phase"],
        "$defs": tables,
    }


def schema_text() -> str:
    """Return the schema as the file has it."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def _conditions(kinds: Kinds) -> Iterator[dict[str, Any]]:
    """Yield what each kind needs and refuses."""
    own = {key for keys in kinds.by_kind.values() for key in keys.all()}
    if kinds.common.needs:
        yield {"allOf": [_needs(group) for group in kinds.common.needs]}
    for kind, keys in kinds.by_kind.items():
        condition: dict[str, Any] = {"properties": {"kind": {"const": kind.value}}}
        condition["required"] = ["kind"]
        if kind is JobKind.SERVICE:
            # What a job is that does not say.
            condition = {"anyOf": [condition, {"not": _any(("kind", "every", "cron"))}]}
        elif kind is JobKind.REPEAT:
            said = {"not": {"required": ["kind"]}}
            condition = {"anyOf": [condition, {"allOf": [said, _any(("every", "cron"))]}]}
        refused = sorted(own - kinds.known(kind))
        then: dict[str, Any] = {}
        if refused:
            then["properties"] = dict.fromkeys(refused, False)
        wanted = [*map(_needs, keys.needs), *_some(keys)]
        if wanted:
            then["allOf"] = wanted
        if then:
            yield {"if": condition, "then": then}


def _needs(group: tuple[str, ...]) -> dict[str, Any]:
    if len(group) == 1:
        return {"required": [*group]}
    return {"oneOf": [{"required": [key]} for key in group]}


def _some(keys: Keys) -> list[dict[str, Any]]:
    return [_any(keys.any_of)] if keys.any_of else []


def _any(keys: tuple[str, ...]) -> dict[str, Any]:
    return {"anyOf": [{"required": [key]} for key in keys]}


def _without_null(value: Any) -> Any:
    """Return a schema without the alternative of nothing, which TOML cannot write."""
    if isinstance(value, list):
        return [_without_null(item) for item in value]
    if not isinstance(value, dict):
        return value
    alternatives = value.get("anyOf", [])
    rest = [item for item in alternatives if item != {"type": "null"}]
    if len(rest) != len(alternatives):
        value = {key: item for key, item in value.items() if key != "anyOf"}
        value = {**rest[0], **value} if len(rest) == 1 else {**value, "anyOf": rest}
    return {
        key: _without_null(item)
        for key, item in value.items()
        if not (key == "default" and item in (None, {}, []) and key != "description")
    }
