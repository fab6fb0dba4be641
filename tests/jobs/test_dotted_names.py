"""Jobs, duties and tasks of the broker are named by strings, past the linter of imports: held here."""

from __future__ import annotations

import ast
import inspect
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.utils.module_loading import import_string

ROOT = Path(__file__).resolve().parents[2]
APPS = sorted(path for path in (ROOT / "apps").rglob("*.py") if "migrations" not in path.parts)
DOTTED = re.compile(r"apps(?:\.[a-z_]\w*){2,}")


def ranks() -> dict[str, int]:
    """`apps.traces` → its layer in pyproject.toml, the highest is 0."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract for contract in contracts if contract["type"] == "layers")["layers"]
    return {app.strip(): rank for rank, layer in enumerate(layers) for app in layer.split("|")}


@dataclass(frozen=True)
class Name:
    """A dotted name in the source of an app."""

    where: str
    app: str
    name: str

    def __str__(self) -> str:
        return f"{self.where} {self.name}"


def names() -> list[Name]:
    found = []
    for path in APPS:
        app = ".".join(path.relative_to(ROOT).parts[:2])
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and DOTTED.fullmatch(node.value)
            ):
                found.append(Name(f"{path.relative_to(ROOT)}:{node.lineno}", app, node.value))
    return found


@dataclass(frozen=True)
class Start:
    """A place that starts a job, with the names of the arguments that it gives."""

    where: str
    entry: str
    arguments: frozenset[str]

    def __str__(self) -> str:
        return f"{self.where} {self.entry}"


def starts() -> Iterator[Start]:
    """Every call with an `entry` and its `arguments`: a string, or a constant of the module that is one."""
    for path in APPS:
        tree = ast.parse(path.read_text())
        constants = {
            target.id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            given = {word.arg: word.value for word in node.keywords} if isinstance(node, ast.Call) else {}
            # The helper itself hands both on to the row.
            if not {"entry", "arguments"} <= given.keys() or path == ROOT / "apps/jobs/services.py":
                continue
            entry, arguments, where = (
                given["entry"],
                given["arguments"],
                f"{path.relative_to(ROOT)}:{node.lineno}",
            )
            entry = constants.get(entry.id, entry) if isinstance(entry, ast.Name) else entry
            assert isinstance(entry, ast.Constant), f"{where}: the entry is no constant"
            assert isinstance(arguments, ast.Dict), f"{where}: the arguments are not written out"
            keys = [key.value for key in arguments.keys if isinstance(key, ast.Constant)]
            yield Start(where, str(entry.value), frozenset(map(str, keys)))


def test_they_are_found() -> None:
    assert len(list(starts())) >= 7
    assert {start.entry for start in starts()} <= {name.name for name in names()}


@pytest.mark.parametrize("name", names(), ids=str)
def test_a_name_leads_to_something_no_higher_than_who_says_it(name: Name) -> None:
    import_string(name.name)
    layers, named = ranks(), ".".join(name.name.split(".")[:2])
    assert named == name.app or layers[named] > layers[name.app]


@pytest.mark.parametrize("start", starts(), ids=str)
def test_an_entry_takes_the_arguments_that_it_is_given(start: Start) -> None:
    context, *parameters = inspect.signature(import_string(start.entry)).parameters.values()
    assert context.name == "context"
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters)
    needed = {parameter.name for parameter in parameters if parameter.default is inspect.Parameter.empty}
    assert needed <= start.arguments <= {parameter.name for parameter in parameters}


@pytest.mark.parametrize("name", [name for name, _ in settings.KEEPER])
def test_a_duty_of_the_keeper_is_there_and_asks_for_nothing(name: str) -> None:
    inspect.signature(import_string(name)).bind()
