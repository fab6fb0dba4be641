"""The docs name what exists; a module or setting without a line there fails here."""

from __future__ import annotations

import re

from tests.map import MAP, ROOT, USUAL, first_line, page

MODULES = [
    path
    for top in ("apps", "slmhub")
    for path in sorted((ROOT / top).rglob("*.py"))
    if "migrations" not in path.parts and path.stem not in USUAL
]


def test_the_map_says_what_the_modules_say() -> None:
    assert page() == MAP.read_text(), "run `make map`"


def test_every_module_says_in_its_first_line_what_it_is() -> None:
    assert [str(path.relative_to(ROOT)) for path in MODULES if not first_line(path)] == []


def test_no_first_line_breaks_off() -> None:
    """The map shows the first line alone."""
    broken = [str(path.relative_to(ROOT)) for path in MODULES if first_line(path)[-1:] not in {*".?:`"}]
    assert broken == []


def test_a_command_is_called_by_its_name_in_its_first_line() -> None:
    commands = (ROOT / "apps").glob("*/management/commands/[a-z]*.py")
    assert [
        path.stem for path in commands if not first_line(path).startswith(f"`manage.py {path.stem}")
    ] == []


def test_every_setting_is_documented() -> None:
    source = (ROOT / "slmhub" / "settings.py").read_text()
    named = set(re.findall(r'env\.(?:text|flag|whole|words)\(\s*"(\w+)"', source))
    documented = (ROOT / "docs" / "settings.md").read_text()
    assert named
    assert {name for name in named if f"`{name}`" not in documented} == set()


def test_links_between_the_pages_lead_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.name}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []
