from __future__ import annotations

import gzip
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command
from django.db import connection

from apps.accounts.models import Agent, Workspace
from apps.traces.models import Span
from tests.traces.calls import lines, session_rows, written
from tests.world import World

DATA = Path(configured.BASE_DIR).parent / "shared" / "data" / "traces"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is not here")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> None:
    settings.HUB_HOME = tmp_path


def run(*arguments: Any, **options: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command("import_traces", *map(str, arguments), stdout=out, **options)
    return orjson.loads(out.getvalue())


class TestImportTraces:
    def test_it_makes_workspace_and_agent_and_prints_a_summary(self, db: None, tmp_path: Path) -> None:
        path = written(tmp_path / "log.jsonl.gz", session_rows())
        report = run(path, agent="tau")
        assert (report["read"], report["accepted"], report["duplicate"], report["rejected"]) == (3, 3, 0, 0)
        assert (report["workspace"], report["agent"], report["rejects_file"]) == ("default", "tau", None)
        assert run(path, agent="tau")["duplicate"] == 3

    def test_it_takes_the_only_workspace(self, db: None, tmp_path: Path) -> None:
        path = written(tmp_path / "log.jsonl", session_rows())
        run(path, agent="a")
        run(written(tmp_path / "more.jsonl", session_rows("more")), agent="b")
        assert Workspace.objects.count() == 1
        assert Agent.objects.count() == 2

    def test_what_another_agent_has_is_refused(self, db: None, tmp_path: Path) -> None:
        path = written(tmp_path / "log.jsonl", session_rows())
        run(path, agent="a")
        with pytest.raises(CommandError, match="Nothing could be stored"):
            run(path, agent="b")
        (rejects,) = (tmp_path / "rejects").glob("b-*.jsonl")
        reasons = {orjson.loads(line)["reason"] for line in rejects.read_bytes().splitlines()}
        assert reasons == {"this span is stored already, for another agent of the workspace"}
        assert {span.agent.slug for span in Span.objects.all()} == {"a"}

    def test_it_imports_into_the_named_workspace(self, world: World, tmp_path: Path) -> None:
        run(written(tmp_path / "log.jsonl", session_rows()), agent="support-desk", workspace="acme")
        assert Span.objects.filter(agent=world.agent).count() == 3

    def test_rejects_go_to_a_file_with_line_and_reason(self, db: None, tmp_path: Path) -> None:
        path = tmp_path / "log.jsonl"
        path.write_bytes(lines(session_rows()) + b'{"mail": "bob@acme.org"\n\xff\xfe\n')
        report = run(path, agent="tau")
        assert (report["accepted"], report["rejected"]) == (3, 2)
        rejects = [orjson.loads(line) for line in Path(report["rejects_file"]).read_bytes().splitlines()]
        assert [reject["line"] for reject in rejects] == [4, 5]
        assert "not UTF-8" in rejects[1]["reason"]
        assert "bob@" not in rejects[0]["excerpt"]

    @pytest.mark.parametrize(
        ("name", "data", "says"),
        [
            ("missing.jsonl", None, "is not a file"), ("empty.jsonl", b"", "The file is empty"),
            ("other.jsonl", b'{"a": 1}\n', "Nothing could be stored"),
        ],
    )  # fmt: skip
    def test_it_fails_when_nothing_can_be_read(
        self, db: None, tmp_path: Path, name: str, data: bytes | None, says: str
    ) -> None:
        if data is not None:
            (tmp_path / name).write_bytes(data)
        with pytest.raises(CommandError, match=says):
            run(tmp_path / name, agent="tau")

    @pytest.mark.parametrize(
        ("options", "says"),
        [
            ({"format": "otlp9"}, "unknown format"),
            ({"workspace": "nowhere"}, "no workspace"),
            ({"agent": "jobs"}, "cannot name"),
        ],
    )
    def test_it_says_which_option_is_wrong(
        self, world: World, tmp_path: Path, options: dict[str, str], says: str
    ) -> None:
        path = written(tmp_path / "log.jsonl", session_rows())
        with pytest.raises(CommandError, match=says):
            run(path, **{"agent": "tau", "workspace": "acme", **options})


def everything_stored() -> Iterator[str]:
    """Every text of every table, bytes read as Latin-1 (ASCII values would show)."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            for row in cursor:
                for value in row:
                    if isinstance(value, bytes | memoryview):
                        yield bytes(value).decode("latin-1")
                    elif value is not None:
                        yield str(value)


@needs_data
class TestTau:
    @pytest.fixture
    def sessions(self) -> dict[str, list[str]]:
        """What the people of each session are known by: e-mail addresses and payment ids."""
        with gzip.open(DATA / "tau_sessions_gold.jsonl.gz") as file:
            gold = [orjson.loads(line) for line in file]
        return {one["session_id"]: sorted(_sensitive(one["pii_known_values"])) for one in gold}

    def test_no_known_value_stands_anywhere_in_clear(
        self, db: None, tmp_path: Path, sessions: dict[str, list[str]]
    ) -> None:
        chosen = list(sessions)[::8]
        path = tmp_path / "some.jsonl"
        with gzip.open(DATA / "tau_openai_chat.jsonl.gz") as log, path.open("wb") as file:
            file.writelines(line for line in log if orjson.loads(line)["session_id"] in chosen)
        report = run(path, agent="tau")
        assert report["accepted"] > 400
        assert report["rejected"] == 0
        values = {value for session in chosen for value in sessions[session]}
        assert len(values) > 50
        raw = path.read_text()
        assert any(value in raw for value in values), "the values must be there to be hidden"
        stored = "\n".join(everything_stored())
        assert [value for value in values if value in stored] == []


def _sensitive(values: Any) -> set[str]:
    found = {str(value) for value in _flat(values)}
    kinds = ("credit_card_", "gift_card_", "certificate_", "paypal_")
    return {value for value in found if "@" in value or value.startswith(kinds)}


def _flat(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _flat(item)
    elif isinstance(value, list):
        for item in value:
            yield from _flat(item)
    else:
        yield value


COUNTS = """
from apps.contents.models import Content
from apps.privacy.models import Finding, Surrogate
from apps.traces.models import Introduction, Session, Span
print([model.objects.count() for model in (Span, Session, Content, Surrogate, Finding, Introduction)])
"""


@pytest.mark.slow
class TestConcurrently:
    def test_two_processes_with_the_same_file_store_it_once(
        self, tmp_path: Path, elsewhere: dict[str, str]
    ) -> None:
        def manage(*arguments: object) -> subprocess.Popen[bytes]:
            command = [sys.executable, configured.BASE_DIR / "manage.py", *map(str, arguments)]
            return subprocess.Popen(command, env=elsewhere, stdout=subprocess.PIPE)

        rows = [row for n in range(120) for row in session_rows(f"s{n}", mail=f"person{n}@acme.org")]
        path = written(tmp_path / "log.jsonl", rows)
        first = written(tmp_path / "first.jsonl", session_rows("first"))
        assert manage("migrate", "-v0", "--skip-checks").wait(timeout=120) == 0
        assert manage("import_traces", first, "--agent", "tau").wait(timeout=60) == 0
        both = [manage("import_traces", path, "--agent", "tau") for _ in range(2)]
        reports = [orjson.loads(process.communicate(timeout=120)[0]) for process in both]
        assert sum(report["accepted"] for report in reports) == 360
        assert sum(report["duplicate"] for report in reports) == 360
        counted, _ = manage("shell", "--no-imports", "-c", COUNTS).communicate(timeout=60)
        # Each session has its own question, tool call and tool result (an address in each) and shares the
        # prompt, two answers and the thanks; with the tool set that makes 3 a session and 5.
        people = 121
        assert orjson.loads(counted.splitlines()[-1]) == [
            3 * people, people, 3 * people + 5, people, 3 * people, 7 * people
        ]  # fmt: skip
