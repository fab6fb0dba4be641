from __future__ import annotations

import gzip
import os
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.core.encryption import SealBrokenError
from apps.events.models import Event
from apps.jobs.models import Job, State
from apps.traces.models import Span
from apps.uploads import services as uploads
from apps.uploads.events import UploadReceived
from apps.uploads.models import Upload
from tests.traces.calls import lines, session_rows
from tests.uploads.upload_files import imported, review_url, send, start
from tests.world import World

# Jobs run with connections of their own, and their wake-ups go to the broker's database.
pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> Path:
    settings.HUB_HOME = tmp_path
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return tmp_path


class TestUploadPage:
    def test_a_file_becomes_calls(self, world: World, home: Path) -> None:
        response = send(world, ("log.jsonl", lines(session_rows())))
        upload = Upload.objects.get()
        assert response.headers["Location"] == review_url(world)
        assert (upload.filename, upload.uploaded_by) == ("log.jsonl", world.curator)
        assert b"support desk" not in Path(upload.path).read_bytes()
        response = start(world)
        assert response.headers["Location"] == world.url("uploads:detail", upload.pk)
        assert Event.objects.filter(type=UploadReceived.type).count() == 1
        assert world.run_jobs() == ["succeeded"]
        upload.refresh_from_db()
        assert (upload.read, upload.accepted, upload.duplicate, upload.rejected) == (3, 3, 0, 0)
        assert upload.job is not None
        assert upload.job.result["accepted"] == 3
        assert list(home.glob("uploads/*")) == []
        page = world.client(world.viewer).get(world.url("uploads:detail", upload.pk)).content.decode()
        assert "redacted and searchable" in page

    def test_gzip_is_read_and_a_second_time_all_are_duplicates(self, world: World) -> None:
        data = gzip.compress(lines(session_rows()))
        for _ in range(2):
            imported(world, ("log.jsonl.gz", data))
        first, second = Upload.objects.order_by("pk")
        assert (first.accepted, second.duplicate) == (3, 3)
        assert Span.objects.count() == 3

    def test_several_files_are_several_imports(self, world: World) -> None:
        send(world, ("a.jsonl", lines(session_rows("a"))), ("b.jsonl", lines(session_rows("b"))))
        assert start(world).headers["Location"] == world.url("uploads:upload")
        assert world.run_jobs() == ["succeeded", "succeeded"]
        assert Span.objects.count() == 6

    def test_rejected_lines_can_be_downloaded(self, world: World) -> None:
        imported(world, ("log.jsonl", b"{not json for bob@acme.org\n" + lines(session_rows())))
        upload = Upload.objects.get()
        assert (upload.accepted, upload.rejected) == (3, 1)
        response: Any = world.client(world.curator).get(world.url("uploads:rejects", upload.pk))
        line = orjson.loads(b"".join(response.streaming_content))
        assert line["line"] == 1
        assert "not JSON" in line["reason"]
        assert "bob@acme.org" not in line["excerpt"]

    def test_a_truncated_gzip_keeps_what_was_readable(self, world: World) -> None:
        rows = [row for n in range(400) for row in session_rows(f"s{n}", mail=f"p{n * 7919}@acme.org")]
        data = gzip.compress(lines(rows))
        imported(world, ("log.jsonl.gz", data[: len(data) * 3 // 4]))
        upload = Upload.objects.get()
        assert 0 < upload.accepted < 1200
        assert upload.rejected >= 1
        assert (
            "truncated" in Path(upload.rejects_path).read_text()
            or "gzip" in Path(upload.rejects_path).read_text()
        )

    def test_a_file_of_something_else_fails_with_its_reason(self, world: World) -> None:
        assert imported(world, ("log.zip", b"PK\x03\x04" + b"\0" * 100)) == ["failed"]
        page = (
            world.client(world.curator)
            .get(world.url("uploads:detail", Upload.objects.get().pk))
            .content.decode()
        )
        assert "the zip archive is damaged" in page
        assert "names the others" not in page

    def test_an_empty_file_is_refused_at_once(self, world: World) -> None:
        response = send(world, ("log.jsonl", b""))
        assert response.status_code == 422
        assert "The file is empty" in response.content.decode()
        assert not Upload.objects.exists()

    def test_no_file_is_refused(self, world: World) -> None:
        assert world.client(world.curator).post(world.url("uploads:upload"), {}).status_code == 422

    def test_three_gibibytes_are_refused_before_they_are_read(self, world: World) -> None:
        client = world.client(world.curator)
        response = client.generic(
            "POST", world.url("uploads:upload"), b"", content_type="multipart/form-data; boundary=x",
            CONTENT_LENGTH=str(3 * 1024**3),
        )  # fmt: skip
        assert response.status_code == 413
        assert "at most 2 GiB. This one has 3.0 GiB." in response.content.decode()

    def test_a_form_without_its_token_is_refused(self, world: World) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(world.curator)
        response = client.post(world.url("uploads:upload"), {"uploaded": SimpleUploadedFile("a", b"x")})
        assert response.status_code == 403

    def test_a_running_import_can_be_cancelled(self, world: World) -> None:
        send(world, ("log.jsonl", lines(session_rows())))
        start(world)
        upload = Upload.objects.get()
        world.client(world.curator).post(world.workspace_url("jobs:cancel", upload.job_id))
        assert Job.objects.get().state == State.CANCELLED
        assert world.run_jobs() == []
        world.client(world.curator).post(world.workspace_url("jobs:retry", upload.job_id))
        assert world.run_jobs() == ["succeeded"]

    @pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("approver", 403), ("stranger", 404)])
    def test_others_may_not_upload(self, world: World, who: str, status: int) -> None:
        assert send(world, ("log.jsonl", lines(session_rows())), who=who).status_code == status
        assert not Upload.objects.exists()

    def test_a_file_name_is_only_a_name(self, world: World) -> None:
        send(world, ("<b>..\\x</b>.jsonl", lines(session_rows())))
        page = world.client(world.curator).get(world.url("uploads:upload")).content.decode()
        assert "<b>..." not in page


class TestKeeping:
    def test_a_body_that_lies_about_its_length_is_cut_off(
        self, settings: Any, home: Path, world: World
    ) -> None:
        settings.LARGEST_UPLOAD = 1000
        with pytest.raises(uploads.UploadTooLargeError):
            uploads.keep(agent=world.agent, filename="x", pieces=[b"x" * 2000])
        assert list(home.glob("uploads/*")) == []

    def test_the_same_bytes_have_the_same_identity_whatever_their_name(self, world: World) -> None:
        def kept(name: str, data: bytes) -> Upload:
            return uploads.keep(agent=world.agent, filename=name, pieces=[data])

        first = uploads.identity_of([kept("a", b"1" * 3_000_000), kept("b", b"2")])
        assert first == uploads.identity_of([kept("c", b"2"), kept("d", b"1" * 3_000_000)])
        assert first != uploads.identity_of([kept("c", b"3"), kept("d", b"1" * 3_000_000)])

    def test_bytes_of_another_file_cannot_be_put_in_its_place(self, world: World) -> None:
        mine = uploads.keep(agent=world.agent, filename="a", pieces=[b"mine"])
        other = uploads.keep(agent=world.agent, filename="b", pieces=[b"other"])
        Path(mine.path).write_bytes(Path(other.path).read_bytes())
        with uploads.opened(mine) as stream, pytest.raises(SealBrokenError):
            stream.read()

    def test_what_a_killed_writer_left_behind_is_cut_off(self, world: World) -> None:
        upload = uploads.begin(agent=world.agent, filename="a", size=8, delivery="", actor=None)
        uploads.append(upload=upload, offset=0, pieces=[b"1234"])
        with Path(upload.path).open("ab") as file:
            file.write(b"\0\0\0\x40half a record")
        uploads.append(upload=upload, offset=4, pieces=[b"5678"])
        with uploads.opened(upload) as stream:
            assert stream.read() == b"12345678"

    def test_two_writers_cannot_write_at_once(self, world: World) -> None:
        upload = uploads.begin(agent=world.agent, filename="a", size=8, delivery="", actor=None)

        def second_writer() -> Any:
            with pytest.raises(uploads.BusyUploadError):
                uploads.append(upload=upload, offset=0, pieces=[b"x"])
            yield b"12345678"

        uploads.append(upload=upload, offset=0, pieces=second_writer())
        assert upload.received == 8


class TestSweep:
    def test_only_what_nobody_started_for_a_week_is_removed(self, world: World, home: Path) -> None:
        def kept(name: str) -> Upload:
            return uploads.keep(agent=world.agent, filename=name, pieces=[b"{}"])

        old, fresh, running = kept("old"), kept("fresh"), kept("running")
        uploads.start(choices=[uploads.Choice(running)], actor=None)
        week_ago = time.time() - 8 * 24 * 3600
        for upload in (old, running):
            os.utime(upload.path, (week_ago, week_ago))
        assert uploads.sweep() == 1
        assert set(Upload.objects.all()) == {fresh, running}
        assert {str(path) for path in home.glob("uploads/*")} == {fresh.path, running.path}
        assert uploads.sweep() == 0

    def test_rejects_of_deleted_uploads_go_too(self, world: World) -> None:
        imported(world, ("log.jsonl", b"{no\n" + lines(session_rows())))
        upload = Upload.objects.get()
        assert uploads.sweep() == 0
        upload.delete()
        assert uploads.sweep() == 1
        assert not Path(upload.rejects_path).exists()
