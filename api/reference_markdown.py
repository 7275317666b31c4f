"""The reference of the API as Markdown: `python -m api.reference_markdown > docs/api.md`."""

import sys
from collections.abc import Mapping
from typing import Any

from api.app import routed_app
from api.pages.render import render_part
from api.reference import reference


def markdown_of(document: Mapping[str, Any]) -> str:
    """Return the reference of an OpenAPI document: what docs/api.md holds."""
    return str(render_part("reference.md", reference=reference(document)))


if __name__ == "__main__":
    sys.stdout.write(markdown_of(routed_app().openapi()))
