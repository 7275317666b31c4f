"""The OpenAPI document, completed by what the framework cannot know."""

from typing import Any

from fastapi import FastAPI

from api.problems import MEDIA_TYPE

_METHODS = ("get", "put", "post", "patch", "delete", "head", "options")


def describe(app: FastAPI) -> None:
    """Make the application's document say that every error is a problem document."""
    generate = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            for path in schema["paths"].values():
                for method in _METHODS:
                    operation = path.get(method, {})
                    _describe_errors(operation.get("responses", {}))
                    _describe_optional_token(operation)
            schemas = schema["components"]["schemas"]
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _describe_errors(responses: dict[str, Any]) -> None:
    for response in responses.values():
        content = response.get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        if schema.get("$ref", "").endswith("/Problem"):
            content[MEDIA_TYPE] = content.pop("application/json")


def _describe_optional_token(operation: dict[str, Any]) -> None:
    """Say that nobody needs a token where only a wrong one is refused."""
    refused = operation.get("responses", {}).get("401", {}).get("description", "")
    if "security" in operation and "`unauthenticated`" not in refused:
        operation["security"] = [{}, *operation["security"]]
