"""The reference of the API, from its OpenAPI document: the page /docs, and docs/api.md."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_GENERAL = {"invalid_request", "rate_limited", "internal_error", "unavailable"}
"""Problems that any request may meet; they are told once."""

_TITLES = {
    "submissions": "Submissions",
    "uploads": "Resumable uploads",
    "statistics": "Statistics and fields",
    "leaderboard": "Leaderboard",
    "snapshots": "Frozen leaderboards",
    "tracks": "Tracks",
    "participants": "Who you are",
}


@dataclass(frozen=True)
class Value:
    """A parameter of a request, or a field of a body."""

    name: str
    type: str
    description: str
    required: bool = True
    place: str = ""


@dataclass(frozen=True)
class Answer:
    """What an operation may answer with."""

    status: str
    description: str
    schema: str


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    text: str
    needs_token: bool
    parameters: list[Value]
    form: list[Value]
    answers: list[Answer]


@dataclass(frozen=True)
class Section:
    """Operations that belong together."""

    title: str
    operations: list[Operation]


@dataclass(frozen=True)
class Schema:
    """A JSON object that answers are made of."""

    name: str
    description: str
    fields: list[Value]


@dataclass(frozen=True)
class Reference:
    """All that there is to say of the API."""

    version: str
    sections: list[Section]
    schemas: list[Schema]


def reference(document: Mapping[str, Any]) -> Reference:
    """Return what an OpenAPI document says, in the order and words of the reference."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            tag = operation.get("tags", [""])[0]
            found.setdefault(tag, []).append(_operation(method, path, operation))
    known = {tag: found.pop(tag) for tag in _TITLES if tag in found}
    return Reference(
        version=document["info"]["version"],
        sections=[
            *(Section(_TITLES[tag], operations) for tag, operations in known.items()),
            *(Section(tag.capitalize(), operations) for tag, operations in found.items()),
        ],
        schemas=[
            Schema(name, schema.get("description", ""), list(_fields(schema)))
            for name, schema in sorted(document["components"]["schemas"].items())
        ],
    )


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Operation:
    forms = operation.get("requestBody", {}).get("content", {})
    form = forms.get("multipart/form-data", {}).get("schema")
    return Operation(
        method=method.upper(),
        path=path,
        text=operation.get("description", ""),
        needs_token=all(operation.get("security", [{}])),
        parameters=[
            Value(
                _header(found["name"]) if found["in"] == "header" else found["name"],
                _type(found["schema"]),
                found.get("description", ""),
                found["required"],
                found["in"],
            )
            for found in operation.get("parameters", [])
        ],
        form=list(_fields(form)) if form else [],
        answers=[
            Answer(status, _text(answer), _schema_of(answer))
            for status, answer in sorted(operation["responses"].items())
            if not _is_general(answer)
        ],
    )


def _header(name: str) -> str:
    return "-".join(word.capitalize() for word in name.split("-"))


def _is_general(answer: Mapping[str, Any]) -> bool:
    codes = re.findall(r"\(`(\w+)`\)", answer["description"])
    return bool(codes) and set(codes) <= _GENERAL


def _text(answer: Mapping[str, Any]) -> str:
    text = "" if answer["description"] == "Successful Response" else answer["description"]
    headers = [
        f"`{name}`: {header['description'].rstrip('.')}"
        for name, header in answer.get("headers", {}).items()
    ]
    return ". ".join([text] * bool(text) + headers)


def _schema_of(answer: Mapping[str, Any]) -> str:
    types = [
        f"{_type(content['schema'])}" if media_type == "application/json" else media_type
        for media_type, content in answer.get("content", {}).items()
        if not media_type.endswith("problem+json")
    ]
    return " or ".join(types)


def _fields(schema: Mapping[str, Any]) -> Iterator[Value]:
    for name, field in schema.get("properties", {}).items():
        required = name in schema.get("required", [])
        yield Value(name, _type(field), field.get("description", ""), required)


def _type(schema: Mapping[str, Any]) -> str:
    """Write a JSON schema in a few words; names of objects are in brackets."""
    if "$ref" in schema:
        return f"[{schema['$ref'].rpartition('/')[2]}]"
    if "anyOf" in schema:
        return " or ".join(_type(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "prefixItems" in schema:
        return f"[{', '.join(_type(item) for item in schema['prefixItems'])}]"
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return {"uuid": "UUID", "date-time": "time", "binary": "file"}.get(
        schema.get("format", ""), str(schema.get("type", "any"))
    )
