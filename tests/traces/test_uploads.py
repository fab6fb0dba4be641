from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.events.models import Event, EventType
from apps.jobs.models import Job, State
from apps.traces.models import Span, Upload
from tests.traces.calls import lines, session_rows
from tests.world import World

# Jobs run with connections of their own, and their wake-ups go to the broker's database.
pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> Path:
    settings.HUB_HOME = tmp_path
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return tmp_path


def send(world: World, *files: tuple[str, bytes], who: str = "curator") -> Any:
    uploaded = [SimpleUploadedFile(name, data) for name, data in files]
    return world.client(getattr(world, who)).post(world.url("traces:upload"), {"uploaded": uploaded})


class TestUploadPage:
    def test_a_file_becomes_calls(self, world: World, home: Path) -> None:
        response = send(world, ("log.jsonl", lines(session_rows())))
        upload = Upload.objects.get()
        assert response.headers["Location"] == world.url("traces:upload_detail", upload.pk)
        assert (upload.filename, upload.format, upload.uploaded_by) == (
            "log.jsonl",
            "openai_chat",
            world.curator,
        )
        assert Event.objects.filter(type=EventType.UPLOAD_RECEIVED).count() == 1
        assert world.run_jobs() == ["succeeded"]
        upload.refresh_from_db()
        assert (upload.read, upload.accepted, upload.duplicate, upload.rejected) == (3, 3, 0, 0)
        assert upload.job is not None
        assert upload.job.result["accepted"] == 3
        assert list(home.glob("uploads/*")) == []
        page = world.client(world.viewer).get(world.url("traces:upload_detail", upload.pk)).content.decode()
        assert "New calls" in page

    def test_gzip_is_read_and_a_second_time_all_are_duplicates(self, world: World) -> None:
        data = gzip.compress(lines(session_rows()))
        for _ in range(2):
            send(world, ("log.jsonl.gz", data))
            world.run_jobs()
        first, second = Upload.objects.order_by("pk")
        assert (first.accepted, second.duplicate) == (3, 3)
        assert Span.objects.count() == 3

    def test_several_files_are_several_imports(self, world: World) -> None:
        response = send(world, ("a.jsonl", lines(session_rows("a"))), ("b.jsonl", lines(session_rows("b"))))
        assert response.headers["Location"] == world.url("traces:upload")
        assert world.run_jobs() == ["succeeded", "succeeded"]
        assert Span.objects.count() == 6

    def test_rejected_lines_can_be_downloaded(self, world: World) -> None:
        send(world, ("log.jsonl", b"{not json for bob@acme.org\n" + lines(session_rows())))
        world.run_jobs()
        upload = Upload.objects.get()
        assert (upload.accepted, upload.rejected) == (3, 1)
        response: Any = world.client(world.curator).get(world.url("traces:rejects", upload.pk))
        line = orjson.loads(b"".join(response.streaming_content))
        assert line["line"] == 1
        assert "not JSON" in line["reason"]
        assert "bob@acme.org" not in line["excerpt"]

    def test_a_truncated_gzip_keeps_what_was_readable(self, world: World) -> None:
        rows = [row for n in range(400) for row in session_rows(f"s{n}", mail=f"p{n * 7919}@acme.org")]
        data = gzip.compress(lines(rows))
        send(world, ("log.jsonl.gz", data[: len(data) * 3 // 4]))
        world.run_jobs()
        upload = Upload.objects.get()
        assert 0 < upload.accepted < 1200
        assert upload.rejected >= 1
        assert (
            "truncated" in Path(upload.rejects_path).read_text()
            or "gzip" in Path(upload.rejects_path).read_text()
        )

    def test_a_file_of_something_else_fails_with_its_reason(self, world: World) -> None:
        send(world, ("log.zip", b"PK\x03\x04" + b"\0" * 100))
        assert world.run_jobs() == ["failed"]
        page = (
            world.client(world.curator)
            .get(world.url("traces:upload_detail", Upload.objects.get().pk))
            .content.decode()
        )
        assert "this is a zip file" in page

    def test_an_empty_file_is_refused_at_once(self, world: World) -> None:
        response = send(world, ("log.jsonl", b""))
        assert response.status_code == 422
        assert "The file is empty" in response.content.decode()
        assert not Upload.objects.exists()

    def test_no_file_is_refused(self, world: World) -> None:
        assert world.client(world.curator).post(world.url("traces:upload"), {}).status_code == 422

    def test_three_gibibytes_are_refused_before_they_are_read(self, world: World) -> None:
        client = world.client(world.curator)
        response = client.generic(
            "POST", world.url("traces:upload"), b"", content_type="multipart/form-data; boundary=x",
            CONTENT_LENGTH=str(3 * 1024**3),
        )  # fmt: skip
        assert response.status_code == 413
        assert "at most 2 GiB. This one has 3.0 GiB." in response.content.decode()

    def test_a_form_without_its_token_is_refused(self, world: World) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(world.curator)
        response = client.post(world.url("traces:upload"), {"uploaded": SimpleUploadedFile("a", b"x")})
        assert response.status_code == 403

    def test_a_running_import_can_be_cancelled(self, world: World) -> None:
        send(world, ("log.jsonl", lines(session_rows())))
        upload = Upload.objects.get()
        world.client(world.curator).post(world.url("traces:upload_cancel", upload.pk))
        assert Job.objects.get().state == State.CANCELLED
        assert world.run_jobs() == []
        world.client(world.curator).post(world.url("traces:upload_retry", upload.pk))
        assert world.run_jobs() == ["succeeded"]

    @pytest.mark.parametrize(("who", "status"), [("viewer", 403), ("approver", 403), ("stranger", 404)])
    def test_others_may_not_upload(self, world: World, who: str, status: int) -> None:
        assert send(world, ("log.jsonl", lines(session_rows())), who=who).status_code == status
        assert not Upload.objects.exists()

    def test_a_file_name_is_only_a_name(self, world: World) -> None:
        send(world, ("<b>..\\x</b>.jsonl", lines(session_rows())))
        page = world.client(world.curator).get(world.url("traces:upload")).content.decode()
        assert "<b>..." not in page


class TestStreams:
    def test_a_body_that_lies_about_its_length_is_cut_off(self, settings: Any, home: Path) -> None:
        from apps.traces.uploads import UploadTooLargeError, write_stream

        settings.LARGEST_UPLOAD = 1000
        with pytest.raises(UploadTooLargeError):
            write_stream(io.BytesIO(b"x" * 2000))
        assert list(home.glob("uploads/*")) == []
