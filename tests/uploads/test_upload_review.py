from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import pytest

from apps.privacy.models import Surrogate
from apps.traces.models import Span
from apps.uploads.models import Upload
from tests.traces.calls import PROMPT, asks_tool, lines, row, session_rows, user
from tests.uploads.upload_files import batch_input, batch_output, page, review_url, send, start
from tests.world import World

pytestmark = pytest.mark.django_db(transaction=True, databases="__all__")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings: Any) -> Path:
    settings.HUB_HOME = tmp_path
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    return tmp_path


class TestReview:
    def test_it_shows_the_first_calls_and_imports_nothing(self, world: World) -> None:
        response = send(world, ("log.jsonl.gz", gzip.compress(lines(session_rows()))))
        assert response.headers["Location"] == review_url(world)
        shown = page(world)
        for text in ("openai_chat", "gzip", "lookup_order", "session s1", "10 tokens in", "Start import"):
            assert text in shown
        assert not Span.objects.exists()
        assert world.run_jobs() == []

    def test_sensitive_values_are_hidden_and_nothing_of_them_stays(self, world: World) -> None:
        send(world, ("log.jsonl", lines(session_rows(mail="ann.lee@acme.org"))))
        shown = page(world)
        assert "ann.lee@acme.org" not in shown
        assert "[EMAIL_1]" in shown
        assert not Surrogate.objects.exists()

    def test_markup_in_a_trace_is_shown_as_text(self, world: World) -> None:
        rows = [row("1", [user("<script>alert(1)</script><b>bold</b>")], asks_tool({"<i>": "x"}))]
        send(world, ("<u>log</u>.jsonl", lines(rows)))
        shown = page(world)
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
        for markup in ("<script>alert", "<b>bold", "<u>log", '"<i>"'):
            assert markup not in shown

    def test_input_and_output_of_a_batch_are_shown_as_whole_calls(self, world: World) -> None:
        send(world, ("in.jsonl", batch_input()), ("out.jsonl", batch_output()))
        shown = page(world)
        first = shown.index("Question number 0?")
        assert first < shown.index("Answer number 0.") < shown.index("Question number 1?")
        assert "hold no" not in shown

    def test_half_of_a_batch_asks_for_the_other_half(self, world: World) -> None:
        send(world, ("in.jsonl", batch_input()))
        assert "choose the output file together with this one" in page(world)

    def test_a_batch_is_imported_as_whole_calls_and_a_second_time_as_duplicates(self, world: World) -> None:
        for _ in range(2):
            send(world, ("in.jsonl", batch_input()), ("out.jsonl", batch_output()))
            start(world)
            assert world.run_jobs() == ["succeeded", "succeeded"]
        assert Span.objects.count() == 3
        assert {span.output_preview for span in Span.objects.all()} == {
            f"Answer number {n}." for n in range(3)
        }
        assert all(span.input_preview for span in Span.objects.all())
        again = Upload.objects.order_by("pk")[2:]
        assert [(upload.accepted, upload.completed, upload.duplicate) for upload in again] == [(0, 0, 3)] * 2

    def test_what_is_missing_is_said_before_it_is_too_late(self, world: World) -> None:
        bare = {"request": {"model": "m", "messages": [PROMPT, user("Hi")]}, "response": {}}
        bare["response"] = {"choices": [{"message": asks_tool("{no json")}]}
        send(world, ("log.jsonl", lines([bare])))
        shown = page(world)
        for text in ("No session ids", "No token counts", "No times", "tool arguments are not JSON"):
            assert text in shown

    def test_the_first_bad_lines_are_told_with_reasons(self, world: World) -> None:
        send(world, ("log.jsonl", b"{not json for bob@acme.org\n" + lines(session_rows()) + b"\xff\xfe\n"))
        shown = page(world)
        assert "Some of the first lines will be rejected" in shown
        assert "is not JSON" in shown
        assert "not UTF-8" in shown
        assert "bob@acme.org" not in shown

    @pytest.mark.parametrize(
        ("name", "data", "said"),
        [
            ("noise.jsonl", b"hello\nworld\n", "not JSON"),
            ("cut.gz", gzip.compress(lines(session_rows()) * 50)[:200], "truncated"),
            ("photo.jsonl", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "image"),
            ("bomb.gz", gzip.compress(b"\0" * (80 * 1024 * 1024)), "Nothing could be read"),
        ],
    )
    def test_what_cannot_be_read_says_so(self, world: World, name: str, data: bytes, said: str) -> None:
        send(world, (name, data))
        assert said in page(world)

    def test_a_file_may_be_read_by_one_format_only(self, world: World) -> None:
        send(world, ("log.jsonl", lines(session_rows())))
        chosen = {f"file{Upload.objects.get().pk}-format": "sharegpt"}
        assert "None of the first lines can be read" in page(world, **chosen)
        start(world, **chosen)
        assert world.run_jobs() == ["failed"]

    def test_a_format_that_nobody_knows_counts_as_not_chosen(self, world: World) -> None:
        send(world, ("log.jsonl", lines(session_rows())))
        start(world, **{f"file{Upload.objects.get().pk}-format": "klingon"})
        assert world.run_jobs() == ["succeeded"]

    def test_a_started_delivery_leads_to_its_import(self, world: World) -> None:
        send(world, ("log.jsonl", lines(session_rows())))
        url = review_url(world)
        first = start(world)
        upload = Upload.objects.get()
        detail = world.url("uploads:detail", upload.pk)
        assert first.headers["Location"] == detail
        assert start(world).headers["Location"] == detail
        assert world.client(world.curator).get(url).headers["Location"] == detail
        assert world.run_jobs() == ["succeeded"]

    def test_a_discarded_file_is_gone_with_its_bytes(self, world: World, home: Path) -> None:
        send(world, ("log.jsonl", lines(session_rows())))
        upload = Upload.objects.get()
        world.client(world.curator).post(world.url("uploads:discard", upload.pk))
        assert not Upload.objects.exists()
        assert list(home.glob("uploads/*")) == []

    def test_a_started_file_cannot_be_discarded(self, world: World) -> None:
        send(world, ("log.jsonl", lines(session_rows())))
        upload = Upload.objects.get()
        start(world)
        refused = world.client(world.curator).post(world.url("uploads:discard", upload.pk))
        assert refused.status_code == 409
        assert world.run_jobs() == ["succeeded"]

    def test_others_see_no_review(self, world: World) -> None:
        send(world, ("log.jsonl", lines(session_rows())))
        assert world.client(world.viewer).get(review_url(world)).status_code == 403
        assert world.client(world.stranger).get(review_url(world)).status_code == 404

    def test_a_zip_bomb_ends_with_its_reason_before_it_unfolds(self, world: World) -> None:
        packer = zlib.compressobj(9, wbits=31)
        piece = b"{}" + b" " * (1024 * 1024) + b"\n"
        bomb = b"".join([packer.compress(piece) for _ in range(300)]) + packer.flush()
        send(world, ("bomb.jsonl.gz", bomb))
        page(world)
        start(world)
        assert world.run_jobs() == ["failed"]
        told = Path(Upload.objects.get().rejects_path).read_text().splitlines()
        assert len(told) < 100
        assert "unpacks to more than 250 times its size" in told[-1]
