"""The docs name what exists; a room, command or setting without a line there fails here."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MAP = (ROOT / "docs" / "map.md").read_text()


def rooms() -> set[str]:
    packages = {path.parent for top in ("apps", "slmhub") for path in (ROOT / top).rglob("__init__.py")}
    inner = {"management", "commands", "migrations", "templatetags", "steps", "apps"}
    return {str(path.relative_to(ROOT)) for path in packages if path.name not in inner}


def test_the_map_has_every_room() -> None:
    assert {room for room in rooms() if f"### `{room}`" not in MAP} == set()


def test_the_map_has_every_command() -> None:
    commands = {path.stem for path in (ROOT / "apps").glob("*/management/commands/[a-z]*.py")}
    assert {name for name in commands if f"manage.py {name}" not in MAP} == set()


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
