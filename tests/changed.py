"""`python -m tests.changed`: the fast tests that the changes since main can touch, by who imports whom.

A test touches what it imports, over any number of steps, and the room that its folder mirrors with everything
that this room imports, because pages and jobs are reached by address and by name. The small world of the
tests is no bridge: it imports half of the house, and would make every change touch every test.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import grimp

from tests.embedded import EMBEDDED
from tests.workers import run

ROOT = Path(__file__).resolve().parent.parent
FAST = "not slow and not browser"
# Scaffolding of every test: what it imports is tested where it is mirrored.
SCAFFOLDING = ("tests.world", "tests.conftest", "tests.attached", "tests.servers")
# A change of these may touch anything.
EVERYWHERE = ("slmhub/settings.py", "slmhub/environment.py", "tests/conftest.py", "tests/world.py")
ALWAYS = ("tests/test_architecture.py", "tests/test_docs.py")
ADDRESSES = "tests/test_access_table.py"


def main(arguments: list[str]) -> int:
    chosen = tests_of(changed_files())
    print(f"{len(chosen)} of {len(all_tests())} test files can be touched by what has changed", flush=True)
    with tempfile.TemporaryDirectory(prefix="hub-tests-") as folder:
        return run(Path(folder), EMBEDDED, ["-m", FAST, *arguments, *sorted(chosen)])


def changed_files() -> set[str]:
    """Against the last commit that main has too; on main itself the last commit counts as a change."""
    main = next(
        (name for name in ("origin/main", "main") if git("rev-parse", "--verify", "-q", name)), "HEAD"
    )
    base = next(iter(git("merge-base", "HEAD", main)), "HEAD")
    if [base] == git("rev-parse", "HEAD"):
        base = "HEAD~1"
    return {*git("diff", "--name-only", base), *git("ls-files", "--others", "--exclude-standard")}


def git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.split() if done.returncode == 0 else []


def tests_of(files: Iterable[str]) -> set[str]:
    """Test files by their paths from the root."""
    files = set(files)
    if files & set(EVERYWHERE):
        return all_tests()
    graph = imports()
    chosen = {path for path in ALWAYS if (ROOT / path).exists()}
    for file in files:
        path = Path(file)
        module = ".".join(path.with_suffix("").parts).removesuffix(".__init__")
        if path.suffix == ".py" and module in graph.modules:
            chosen |= {
                path_of(one) for one in {module, *graph.find_downstream_modules(module)} if is_test(one)
            }
        if path.name in {"urls.py", "views.py", "api.py", "access.py", "rights.py"}:
            chosen.add(ADDRESSES)
        if path.parts[0] == "templates":
            chosen |= pages_of(path.parts[1])
    return chosen


def imports() -> grimp.ImportGraph:
    graph = grimp.build_graph("apps", "slmhub", "tests")
    for hub in SCAFFOLDING:
        for imported in list(graph.find_modules_directly_imported_by(hub)):
            graph.remove_import(importer=hub, imported=imported)
    rooms: dict[str, list[str]] = {}
    for module in graph.modules:
        if module.startswith(("apps.", "slmhub.")):
            rooms.setdefault(module.split(".")[1], []).append(module)
    for test in filter(is_test, graph.modules):
        for module in rooms.get(test.split(".")[1], []):
            graph.add_import(importer=test, imported=module)
    return graph


def pages_of(folder: str) -> set[str]:
    """The tests of an app whose template has changed; of a shared one, those of all pages."""
    if (ROOT / "apps" / folder).is_dir():
        return {path for path in all_tests() if path.startswith(f"tests/{folder}/")}
    return {path for path in all_tests() if path.endswith("pages.py")} | {ADDRESSES}


def is_test(module: str) -> bool:
    return module.startswith("tests.") and module.rpartition(".")[2].startswith("test_")


def path_of(module: str) -> str:
    return f"{module.replace('.', '/')}.py"


def all_tests() -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("test_*.py")}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
