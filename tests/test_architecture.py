"""What keeps the house a house, measured."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.map import MOST_LINES, REASONS

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(
    path
    for folder in ("slmhub", "apps")
    for path in (ROOT / folder).rglob("*.py")
    if "migrations" not in path.parts
)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
HEAVY = (
    "torch",
    "transformers",
    "peft",
    "sentence_transformers",
    "sklearn",
    "faiss",
    "numpy",
    "spacy",
    "presidio_analyzer",
)

LONGEST_FUNCTION = 80
LONGEST_FILE = 400
LONGEST_TEMPLATE = 130
LONGEST_TEMPLATE_LINE = 120
MOST_PARAMETERS = 5


def functions() -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append((f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node))
    return found


def length(node: ast.AST) -> int:
    return node.end_lineno - node.lineno + 1  # type: ignore[attr-defined]


def test_no_function_is_long() -> None:
    assert [name for name, node in functions() if length(node) > LONGEST_FUNCTION] == []


def test_no_function_takes_many_positional_parameters() -> None:
    def count(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
        names = [a.arg for a in (*node.args.posonlyargs, *node.args.args) if a.arg not in {"self", "cls"}]
        return len(names)

    assert [name for name, node in functions() if count(node) > MOST_PARAMETERS] == []


@pytest.mark.parametrize(
    ("paths", "most"), [(SOURCES, LONGEST_FILE), (TEMPLATES, LONGEST_TEMPLATE)], ids=["python", "html"]
)
def test_no_file_outgrows_its_room(paths: list[Path], most: int) -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in paths}
    assert {name: lines for name, lines in lengths.items() if lines > most} == {}


def test_no_template_line_is_packed() -> None:
    # Django reads a tag only where it stands on one line, so a line that is one tag may be longer.
    one_tag = re.compile(r"\s*\{%[^%]*%\}\s*")
    packed = {
        f"{path.relative_to(ROOT)}:{number}"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > LONGEST_TEMPLATE_LINE and not one_tag.fullmatch(line)
    }
    assert packed == set()


def test_no_app_grows_into_two_without_its_reason_in_the_map() -> None:
    lines = {
        app.name: sum(len(path.read_text().splitlines()) for path in SOURCES if app in path.parents)
        for app in (ROOT / "apps").iterdir()
    }
    large = {f"apps/{name}" for name, count in lines.items() if count > MOST_LINES}
    assert large == set(REASONS)


def loaded_by(statement: str) -> set[str]:
    """The heavy modules that a fresh interpreter holds after `statement`."""
    code = f"import sys\n{statement}\nprint(*[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_no_web_process_imports_tensors() -> None:
    urls = "from django.urls import get_resolver; get_resolver().url_patterns"
    assert loaded_by(f"import slmhub.asgi\n{urls}") == set()


def test_no_worker_imports_tensors() -> None:
    jobs = "import importlib, pathlib\n" + (
        "for p in pathlib.Path('apps').rglob('jobs.py'):\n"
        "    importlib.import_module('.'.join(p.with_suffix('').parts))"
    )
    setup = "import os, django\nos.environ['DJANGO_SETTINGS_MODULE'] = 'slmhub.settings'\ndjango.setup()"
    assert loaded_by(f"{setup}\n{jobs}\nimport apps.jobs.runner") == set()


def test_nothing_is_loaded_from_another_host() -> None:
    pages = [*TEMPLATES, *(ROOT / "static").rglob("*.css"), *(ROOT / "static" / "js").rglob("*.js")]
    foreign = ('src="http', "src='http", "@import", "url(http", 'href="http')
    assert [str(page) for page in pages if any(mark in page.read_text() for mark in foreign)] == []
