from __future__ import annotations

import io
from typing import Any

import pytest

from apps.ingest import emitters as emitters_module
from apps.ingest import services as ingest_module
from apps.ingest.services import ingest
from apps.traces.models import Emitter, Source, Span
from slmhub.formats.records import Record, Reject
from tests.ingest.test_completion import at, part, span, take
from tests.traces.calls import user
from tests.world import World


def counted(emitter: Emitter) -> tuple[int, int, int, int]:
    return emitter.accepted, emitter.completed, emitter.duplicate, emitter.rejected


class TestEmitters:
    def test_each_program_and_convention_is_counted_on_its_own(self, world: World) -> None:
        first = span("a", started_at=at(0), emitter="openinference 0.1", format="openinference")
        second = span("b", started_at=at(1), emitter="traceloop 0.62", format="traceloop")
        take(world, first, second, part("a", emitter="openinference 0.1", format="openinference", model="m"))
        take(world, first, second)
        rows = {row.name: row for row in Emitter.objects.filter(agent=world.agent, source=Source.OTLP)}
        assert counted(rows["openinference 0.1"]) == (1, 1, 1, 0)
        assert counted(rows["traceloop 0.62"]) == (1, 0, 1, 0)
        assert Span.objects.get(span_id="a").emitter == rows["openinference 0.1"]

    def test_the_hint_names_an_emitter_that_does_not_name_itself(self, world: World) -> None:
        take(world, span("a", started_at=at(0)), emitter_hint="OTel-Python/1.2")
        assert Emitter.objects.get().name == "OTel-Python/1.2"

    def test_a_name_that_holds_personal_data_is_hidden(self, world: World) -> None:
        take(world, span("a", started_at=at(0), emitter="script of bob@acme.org"), emitter_hint="x")
        assert Emitter.objects.get().name == "script of [EMAIL_1]"

    def test_rejected_lines_count_for_the_emitter_of_their_batch(self, world: World) -> None:
        records: list[Record | Reject] = [
            span("a", started_at=at(0), emitter="e"), Reject(0, "bad", ""),
            span("b", started_at=at(0), emitter="e", messages=[user("hi")] * 32_001),
        ]  # fmt: skip
        rejects = io.StringIO()
        ingest(agent=world.agent, records=records, source=Source.OTLP, rejects=rejects)
        assert counted(Emitter.objects.get()) == (1, 0, 0, 2)

    def test_names_without_number_share_one_row(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(emitters_module, "_MOST_NAMES", 3)
        for n in range(8):
            take(world, span(str(n), started_at=at(n), emitter=f"run {n}"))
        assert Emitter.objects.count() <= 4
        assert sum(Emitter.objects.values_list("accepted", flat=True)) == 8

    def test_a_batch_that_fails_leaves_no_trace_and_may_be_sent_again(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_: Any, **__: Any) -> None:
            raise RuntimeError("the log is full")

        records = [span("a", started_at=at(0), emitter="e", messages=[user("hi")])]
        writer = ingest_module.Writer(world.agent, Source.OTLP)
        with monkeypatch.context() as patch:
            patch.setattr("apps.ingest.batch.publish", broken)
            with pytest.raises(RuntimeError):
                writer.write(list(enumerate(records)))
        assert (Span.objects.count(), Emitter.objects.count()) == (0, 0)
        assert writer.write(list(enumerate(records))).number("accepted") == 1
