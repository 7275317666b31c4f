"""The notebook in docs/ runs as it stands, and shows what it computes.

After a change, `jupyter execute --inplace docs/scoring.ipynb` brings its output up to date.
"""

import contextlib
import io
import json
from pathlib import Path

import pytest

NOTEBOOK = json.loads((Path(__file__).parents[2] / "docs" / "scoring.ipynb").read_text())
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def source(cell):
    lines = "".join(cell["source"]).splitlines()
    return "\n".join(line for line in lines if not line.startswith("%"))


def printed(cell):
    streams = [output for output in cell["outputs"] if output["output_type"] == "stream"]
    return "".join("".join(output["text"]) for output in streams)


@pytest.fixture(scope="module")
def output():
    """What each cell prints when it runs again, in order."""
    names = {}
    texts = []
    for cell in CODE:
        buffer = io.StringIO()
        with contextlib.redirect_stdout(buffer):
            exec(source(cell), names)
        texts.append(buffer.getvalue())
    return texts


def test_it_prints_what_it_shows(output):
    # Fourier transforms round differently from one machine to the next: not the last digits.
    for cell, text in zip(CODE, output, strict=True):
        assert [word[:3] for word in text.split()] == [word[:3] for word in printed(cell).split()]


def test_it_was_executed_in_order_without_errors():
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    kinds = {output["output_type"] for cell in CODE for output in cell["outputs"]}
    assert kinds <= {"stream", "execute_result", "display_data"}
    assert any("image/png" in o.get("data", {}) for cell in CODE for o in cell["outputs"])
