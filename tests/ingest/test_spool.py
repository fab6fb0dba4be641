"""From the acknowledgement to the row: nothing is lost and nothing doubled."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from psycopg.errors import ProgramLimitExceeded

from apps.ingest import drain as drains
from apps.ingest.drain import LOCK, drain, put_refused_back
from apps.spool import files
from apps.spool import writer as spool_writer
from apps.spool.files import offset_file
from apps.spool.reader import backlog, records_after
from apps.spool.record import Header, PayloadKind, SpoolRecord, framed, seal_record
from apps.spool.writer import SpoolFullError, SpoolWriter
from apps.team.services import create_agent
from apps.traces.models import Source, Span
from tests.intake.exports import span_id, traces
from tests.servers import eventually
from tests.world import World


def note(world: World, name: str, *, agent: int | None = None, **row: Any) -> SpoolRecord:
    request = {"model": "m", "messages": [{"role": "user", "content": f"question {name}"}]}
    answer = {"role": "assistant", "content": f"answer {name}"}
    response = {"choices": [{"index": 0, "message": answer, "finish_reason": "stop"}]}
    logged = {"id": name, "timestamp": "2026-01-01T00:00:00Z", "request": request, "response": response}
    header = Header(kind=PayloadKind.ROW, source=Source.GATEWAY, agent=agent or world.agent.pk)
    return SpoolRecord(header, orjson.dumps({**logged, **row}))


def as_bytes(sealed: bytes) -> bytes:
    return framed(sealed, time.time())


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != LOCK)


def dead_pid() -> int:
    """A process id that nobody has."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def left_behind(folder: Path, records: list[bytes], tail: bytes = b"") -> Path:
    """A spool file of a gateway that has died."""
    path = folder / files.spool_name(socket.gethostname(), dead_pid(), 1)
    path.write_bytes(b"".join(as_bytes(record) for record in records) + tail)
    return path


def names() -> list[str]:
    return sorted(Span.objects.values_list("span_id", flat=True))


def read(folder: Path) -> list[str]:
    return [id_of(found) for path in sorted(folder.glob("*.spool")) for found, _ in records_after(path, 0)]


def id_of(found: SpoolRecord) -> str:
    return str(orjson.loads(found.payload)["id"])


def write(world: World, folder: Path, *wanted: str) -> SpoolWriter:
    async def run() -> SpoolWriter:
        writer = SpoolWriter(folder)
        await asyncio.gather(*(writer.write(*note(world, name)) for name in wanted))
        return writer

    return asyncio.run(run())


# ---- writing


def test_a_record_is_on_the_disk_when_write_returns(world: World, tmp_path: Path) -> None:
    write(world, tmp_path, "a", "b", "c")

    assert sorted(read(tmp_path)) == ["a", "b", "c"]


def test_nothing_stands_on_the_disk_in_clear(world: World, tmp_path: Path) -> None:
    write(world, tmp_path, "a")

    (path,) = tmp_path.iterdir()
    assert b"question" not in path.read_bytes()


def test_a_full_file_is_followed_by_another(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_writer, "ROTATE_AT", 500)

    async def run() -> None:
        writer = SpoolWriter(tmp_path)
        for name in "abcdef":
            await writer.write(*note(world, name))

    asyncio.run(run())
    assert len(list(tmp_path.iterdir())) > 1
    assert sorted(read(tmp_path)) == list("abcdef")


def test_it_never_goes_on_in_a_file_that_was_there_before(world: World, tmp_path: Path) -> None:
    old = tmp_path / files.spool_name(socket.gethostname(), os.getpid(), 1)
    old.write_bytes(as_bytes(seal_record(note(world, "old"))) + b"\x00\x00\x01")

    write(world, tmp_path, "new")
    assert read(tmp_path) == ["old", "new"]


def test_a_caller_that_has_gone_stops_nobody_else(world: World, tmp_path: Path) -> None:
    async def run() -> None:
        writer = SpoolWriter(tmp_path)
        gone = [asyncio.create_task(writer.write(*note(world, f"gone-{n}"))) for n in range(5)]
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        await asyncio.wait_for(writer.write(*note(world, "stays")), 5)

    asyncio.run(run())
    assert "stays" in read(tmp_path)


def test_more_than_the_disk_takes_is_refused_not_dropped(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_writer, "LONGEST_QUEUE", 2)

    async def run() -> None:
        writer = SpoolWriter(tmp_path)
        writer._thread = threading.current_thread()  # a disk that takes nothing
        waiting = [asyncio.create_task(writer.write(*note(world, str(n)))) for n in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(SpoolFullError):
            await writer.write(*note(world, "one too many"))
        with pytest.raises(SpoolFullError):
            writer.check_room()
        for task in waiting:
            task.cancel()

    asyncio.run(run())


def test_a_disk_error_reaches_the_caller_and_the_next_record_is_whole(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def full(descriptor: int) -> None:
        monkeypatch.setattr(spool_writer.os, "fsync", real)
        raise OSError(28, "No space left on device")

    async def run() -> None:
        writer = SpoolWriter(tmp_path)
        await writer.write(*note(world, "before"))
        monkeypatch.setattr(spool_writer.os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            await writer.write(*note(world, "refused"))
        await writer.write(*note(world, "after"))

    asyncio.run(run())
    assert {"before", "after"} <= set(read(tmp_path))


# ---- draining


def test_every_record_becomes_one_call(world: World, tmp_path: Path) -> None:
    write(world, tmp_path, "a", "b", "c")

    assert drain(tmp_path) == 3
    assert names() == ["a", "b", "c"]
    assert drain(tmp_path) == 0
    assert names() == ["a", "b", "c"]


def test_a_file_that_is_read_and_whose_writer_is_dead_goes(world: World, tmp_path: Path) -> None:
    left_behind(tmp_path, [seal_record(note(world, "a"))])

    drain(tmp_path)
    drain(tmp_path)
    assert left(tmp_path) == []
    assert names() == ["a"]


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_the_file_of_a_writer_that_has_nothing_to_do_goes_and_another_follows(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool_writer, "CLOSE_AFTER_S", 0.05)

    async def run() -> None:
        writer = SpoolWriter(tmp_path)
        for name in "ab":
            await writer.write(*note(world, name))
            await asyncio.to_thread(eventually, lambda: list(tmp_path.glob("*.closed")))
            await asyncio.to_thread(drain_twice)

    def drain_twice() -> None:
        drain(tmp_path)
        drain(tmp_path)
        assert left(tmp_path) == []
        connection.close()

    asyncio.run(run())
    assert names() == ["a", "b"]


def test_the_file_of_a_living_writer_stays(world: World, tmp_path: Path) -> None:
    write(world, tmp_path, "a")

    drain(tmp_path)
    drain(tmp_path)
    assert len(list(tmp_path.glob("*.spool"))) == 1


def test_half_a_record_at_the_end_is_left_out(world: World, tmp_path: Path) -> None:
    whole, torn = seal_record(note(world, "a")), as_bytes(seal_record(note(world, "b")))
    for length in (1, 4, 20, len(torn) - 1):
        left_behind(tmp_path, [whole], torn[:length])
        drain(tmp_path)
        drain(tmp_path)

    assert names() == ["a"]
    assert left(tmp_path) == []


def test_a_record_that_is_still_being_written_is_read_when_it_is_whole(world: World, tmp_path: Path) -> None:
    path = tmp_path / files.spool_name(socket.gethostname(), os.getpid(), 1)
    whole = as_bytes(seal_record(note(world, "a")))
    path.write_bytes(whole[:30])
    assert drain(tmp_path) == 0

    path.write_bytes(whole)
    assert drain(tmp_path) == 1
    assert names() == ["a"]


def test_an_offset_that_was_lost_doubles_nothing(world: World, tmp_path: Path) -> None:
    write(world, tmp_path, "a", "b")
    drain(tmp_path)
    for path in tmp_path.glob("*.offset"):
        path.unlink()

    assert drain(tmp_path) == 2
    assert names() == ["a", "b"]


@pytest.mark.django_db(transaction=True, databases="__all__")
def test_two_who_drain_at_once_store_each_call_once(world: World, tmp_path: Path) -> None:
    write(world, tmp_path, *(f"call-{n:03d}" for n in range(60)))
    together, failures = threading.Barrier(2), []

    def run() -> None:
        together.wait()
        try:
            drain(tmp_path)
        except Exception as error:
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drain(tmp_path)

    assert failures == []
    assert names() == [f"call-{n:03d}" for n in range(60)]


def test_a_call_that_cannot_be_stored_is_set_aside_and_holds_up_nobody(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = drains.ingest

    def picky(*, records: list[Any], **options: Any) -> Any:
        records = list(records)
        if any(record.span_id == "poison" for record in records):
            raise ValueError("no row can hold it")
        return ingest(records=records, **options)

    monkeypatch.setattr(drains, "ingest", picky)
    write(world, tmp_path, "a", "poison", "b")
    drain(tmp_path)

    assert names() == ["a", "b"]
    (aside,) = tmp_path.glob("*.refused")
    assert [id_of(found) for found, _ in records_after(aside, 0)] == ["poison"]
    assert backlog(tmp_path).refused == 1


def test_why_an_acknowledged_span_is_refused_stands_in_the_log(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = create_agent(workspace=world.workspace, name="Other", actor=world.owner)
    write(world, tmp_path, "a")
    drain(tmp_path)
    Span.objects.update(agent=other)
    write(world, tmp_path, "a", "b")
    drain(tmp_path)

    assert names() == ["a", "b"]
    assert "support-desk was refused" in caplog.text
    assert "stored already, for another agent" in caplog.text


def test_half_a_record_of_a_process_that_died_hides_none_that_is_set_aside_later(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**options: Any) -> None:
        raise ValueError("no row can hold it")

    write(world, tmp_path, "a")
    (path,) = tmp_path.glob("*.spool")
    with monkeypatch.context() as patch:
        patch.setattr(drains, "ingest", broken)
        drain(tmp_path)
        (aside,) = tmp_path.glob("*.refused")
        whole = aside.read_bytes()
        # Killed while it set the next one aside.
        aside.write_bytes(whole + whole[: len(whole) // 2])
        assert backlog(tmp_path).refused == 1
        offset_file(path).unlink()
        drain(tmp_path)

    assert aside.read_bytes()[: len(whole)] == whole
    assert [id_of(found) for found, _ in records_after(aside, 0)] == ["a", "a"]
    put_refused_back(tmp_path)
    drain(tmp_path)
    assert names() == ["a"]


def test_what_was_set_aside_is_stored_once_the_cause_is_mended(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**options: Any) -> None:
        raise ValueError("no row can hold it")

    with monkeypatch.context() as patch:
        patch.setattr(drains, "ingest", broken)
        for name in ("a", "b"):
            write(world, tmp_path, name)
            drain(tmp_path)
        assert put_refused_back(tmp_path) == 2
        drain(tmp_path)
    assert (names(), backlog(tmp_path).refused) == ([], 2)

    assert put_refused_back(tmp_path) == 2
    assert put_refused_back(tmp_path) == 0
    assert backlog(tmp_path).refused == 0
    drain(tmp_path)
    drain(tmp_path)
    assert sorted(names()) == ["a", "b"]
    assert not list(tmp_path.glob("refused.*"))


def test_the_command_puts_back_and_ends(tmp_path: Path, settings: Any) -> None:
    settings.SPOOL_DIR = tmp_path
    out = StringIO()
    call_command("ingest_spool", "--retry-refused", stdout=out)
    assert "0 bodies" in out.getvalue()


def test_a_row_that_is_too_large_for_the_database_holds_up_nobody(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest = drains.ingest

    def postgres(*, records: list[Any], **options: Any) -> Any:
        records = list(records)
        if any(record.span_id == "huge" for record in records):
            raise OperationalError("string is too long for tsvector") from ProgramLimitExceeded()
        return ingest(records=records, **options)

    monkeypatch.setattr(drains, "ingest", postgres)
    write(world, tmp_path, "a", "huge", "b")
    drain(tmp_path)

    assert names() == ["a", "b"]
    assert backlog(tmp_path).refused == 1


def test_while_the_database_is_away_everything_waits(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(**options: Any) -> None:
        raise OperationalError("the database is away")

    write(world, tmp_path, "a", "b")
    with monkeypatch.context() as patch:
        patch.setattr(drains, "ingest", away)
        with pytest.raises(OperationalError):
            drain(tmp_path)
    assert list(tmp_path.glob("*.refused")) == []

    assert drain(tmp_path) == 2
    assert names() == ["a", "b"]


@pytest.mark.parametrize(
    "damage", [lambda record: b"\x00" * len(record), lambda record: record[:-1] + bytes([record[-1] ^ 1])]
)
def test_what_stands_before_a_damage_is_stored_and_the_rest_is_kept(
    world: World, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    records = [seal_record(note(world, name)) for name in "ab"]
    left_behind(tmp_path, [records[0], damage(records[1])])
    left_behind(tmp_path, [seal_record(note(world, "c"))])
    drain(tmp_path)
    drain(tmp_path)

    assert names() == ["a", "c"]
    assert len(list(tmp_path.glob("*.damaged"))) == 1


def test_a_row_of_no_known_shape_is_set_aside(world: World, tmp_path: Path) -> None:
    left_behind(
        tmp_path, [seal_record(note(world, "odd", request={"messages": [5]})), seal_record(note(world, "a"))]
    )

    assert drain(tmp_path) == 2
    assert names() == ["a"]


def test_calls_of_an_agent_that_was_deleted_are_passed_over(world: World, tmp_path: Path) -> None:
    left_behind(tmp_path, [seal_record(note(world, "gone", agent=999_999)), seal_record(note(world, "a"))])

    assert drain(tmp_path) == 2
    assert names() == ["a"]


# ---- bodies of every size, together


def export(world: World, ids: list[bytes], text: str = "hello") -> SpoolRecord:
    header = Header(
        kind=PayloadKind.OTLP_TRACES,
        source=Source.OTLP,
        agent=world.agent.pk,
        content_type="application/x-protobuf",
    )
    return SpoolRecord(header, traces(ids, text=text))


def test_many_bodies_of_an_agent_go_into_one_ingest(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest, asked = drains.ingest, []

    def counted(**options: Any) -> Any:
        asked.append(options["source"])
        return ingest(**options)

    monkeypatch.setattr(drains, "ingest", counted)
    ids = [span_id() for _ in range(40)]
    notes = [export(world, [one]) for one in ids] + [note(world, "a"), note(world, "b")]
    left_behind(tmp_path, [seal_record(one) for one in notes])

    assert drain(tmp_path) == 42
    assert sorted(asked) == [Source.GATEWAY, Source.OTLP]
    assert names() == sorted(["a", "b", *(one.hex() for one in ids)])


def test_a_body_that_breaks_among_many_is_found_and_set_aside(world: World, tmp_path: Path) -> None:
    ids = [span_id() for _ in range(9)]
    notes = [export(world, [one]) for one in ids]
    notes.insert(5, SpoolRecord(notes[0].header, b"\xff\xff no protobuf"))
    left_behind(tmp_path, [seal_record(one) for one in notes])
    drain(tmp_path)

    assert names() == sorted(one.hex() for one in ids)
    assert backlog(tmp_path).refused == 1


def test_a_long_body_is_sealed_in_steps_and_read_whole(world: World, tmp_path: Path) -> None:
    payload = os.urandom(3 * 1024**2 + 7)
    header = note(world, "a").header

    async def run() -> None:
        await SpoolWriter(tmp_path).write(header, payload)

    asyncio.run(run())
    (path,) = tmp_path.glob("*.spool")
    assert [found for found, _ in records_after(path, 0)] == [SpoolRecord(header, payload)]


def test_the_backlog_tells_bytes_and_age(world: World, tmp_path: Path) -> None:
    sealed = seal_record(note(world, "a"))
    path = left_behind(tmp_path, [])
    path.write_bytes(framed(sealed, time.time() - 60) + framed(sealed, time.time()))

    waiting = backlog(tmp_path)
    assert waiting.bytes_waiting == path.stat().st_size
    assert 59 < waiting.oldest_s < 70
    drain(tmp_path)
    assert (backlog(tmp_path).bytes_waiting, backlog(tmp_path).oldest_s) == (0, 0.0)


def test_a_spool_that_holds_enough_asks_to_wait(world: World, tmp_path: Path, settings: Any) -> None:
    path = left_behind(tmp_path, [seal_record(note(world, "a"))])
    settings.SPOOL_LIMIT = path.stat().st_size
    with pytest.raises(SpoolFullError, match="wait to be stored"):
        SpoolWriter(tmp_path).check_room()
    SpoolWriter(tmp_path).check_room(share=1.25)

    drain(tmp_path)
    SpoolWriter(tmp_path).check_room()


def test_a_disk_that_is_almost_full_takes_nothing(world: World, tmp_path: Path, settings: Any) -> None:
    settings.SPOOL_DISK_FLOOR = 2**60
    with pytest.raises(SpoolFullError, match="almost full"):
        SpoolWriter(tmp_path).check_room()


def test_a_body_that_kills_the_process_again_and_again_is_set_aside(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = left_behind(tmp_path, [seal_record(note(world, name)) for name in ("deadly", "b", "c")])
    path.with_suffix(".trying").write_text(f"0 {drains.REFUSED_AFTER}")

    assert drain(tmp_path) == 3
    assert names() == ["b", "c"]
    assert backlog(tmp_path).refused == 1


def test_a_few_deaths_cost_only_the_batch(world: World, tmp_path: Path) -> None:
    path = left_behind(tmp_path, [seal_record(note(world, name)) for name in "abc"])
    path.with_suffix(".trying").write_text(f"0 {drains.ALONE_AFTER}")

    assert drain(tmp_path) == 3
    assert names() == ["a", "b", "c"]
    drain(tmp_path)
    assert left(tmp_path) == []


def test_a_length_that_no_record_has_is_damage_and_not_the_end(world: World, tmp_path: Path) -> None:
    path = left_behind(tmp_path, [seal_record(note(world, "a"))], b"\xff" * 40)
    drain(tmp_path)
    drain(tmp_path)

    assert names() == ["a"]
    (damaged,) = left(tmp_path)
    assert damaged.startswith(path.stem)
    assert damaged.endswith(".damaged")
