from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from apps.datasets import services
from apps.datasets.candidates import Reason
from apps.datasets.columns import Counts, Parameters, Seen
from apps.datasets.events import DatasetFrozen
from apps.datasets.files import write_split
from apps.datasets.models import DatasetVersion, FrozenError, Split
from apps.datasets.overlap import in_words
from apps.discovery.models import Assignment
from apps.discovery.services import merge
from apps.jobs.services import AlreadyRunningError
from slmhub.ml.prompt_formats import COMPACT, NATIVE
from slmhub.ml.prompt_formats.compact import NOTHING_STATIC, StaticMessage
from tests.datasets.builders import built
from tests.discovery.factories import SYSTEM, Step, accepted, extraction, fail, task
from tests.world import World


def test_it_freezes_what_the_calls_show(world: World) -> None:
    dataset = built(world, accepted(world.agent, extraction(world.agent, 150)))
    assert dataset.is_frozen
    assert dataset.static_prompt.messages == (StaticMessage("system", SYSTEM),)
    example = dataset.examples.get(position=0)
    assert example.prompt.startswith("Where is order A-")
    assert orjson.loads(example.completion)["order"] in example.prompt
    assert example.messages[0]["role"] == "system"
    assert sum(getattr(dataset.counts, split.value) for split in Split) == 150
    assert world.workspace.events.get(type=DatasetFrozen.type).data["digest"] == dataset.digest


def test_no_session_is_in_two_splits(world: World) -> None:
    dataset = built(world, accepted(world.agent, extraction(world.agent, 150)))
    pairs = set(dataset.examples.values_list("session", "split"))
    assert len(pairs) == len({session for session, _ in pairs}) == dataset.counts.sessions == 50
    assert {split for _, split in pairs} == set(Split.values)


def test_failed_sessions_and_unusable_answers_are_left_out(world: World) -> None:
    calls, step = extraction(world.agent, 150), Step(world.agent)
    fail(world.agent, "visit-0")
    calls += [
        step.call("Nothing", "  "),
        step.call("Cut", "{", finish_reason="length"),
        step.call("Harness", "{}", attributes={"metadata": {"harness_injected": True}}),
        step.call("Broken", "{}", status="error"),
        step.call("Ours", "{}", served_by="specialist-1@abc"),
        step.call("Long " + "x" * 3000, "{}"),
        step.call("Where is order A-00100 of mine?", '{"order":"A-00100"}'),
        step.call("Where is order A-00101 of mine?", '{"order":"other"}'),
    ]
    dataset = built(world, accepted(world.agent, calls))
    assert dataset.left_out == {
        Reason.FAILED_SESSION: 3,
        Reason.EMPTY: 1,
        Reason.CUT_OFF: 1,
        Reason.HARNESS: 1,
        Reason.ERROR: 1,
        Reason.NOT_THE_TEACHER: 1,
        Reason.TOO_LONG: 1,
        Reason.DUPLICATE: 1,
        Reason.CONFLICT: 1,
    }
    assert not dataset.examples.filter(session="visit-0").exists()


def test_tool_arguments_that_are_not_json_are_left_out(world: World) -> None:
    calls = [Step(world.agent).call(f"Order {n}", {"order": str(n)}) for n in range(100)]
    broken = calls[0].output
    assert broken is not None
    broken.body["tool_calls"][0]["function"]["arguments"] = "{'order': 1}"
    broken.save()
    dataset = built(world, accepted(world.agent, calls))
    assert dataset.left_out == {Reason.NOT_JSON: 1}
    assert dataset.examples.all()[0].completion.startswith('{"tool":"look_up"')


def test_calls_of_merged_tasks_are_in_it_with_their_own_prompt(world: World) -> None:
    main = accepted(world.agent, extraction(world.agent, 100))
    step = Step(world.agent, system="Another prompt.")
    other = task(world.agent, [step.call(f"Number {n}?", f'{{"order":"{n}"}}') for n in range(20)])
    merge(tasks=[other], into=main, actor=world.curator)
    dataset = built(world, main)
    assert dataset.counts.other_prompts == 20
    assert dataset.examples.filter(prompt__startswith="system: Another prompt.").count() == 20


def test_the_same_calls_give_the_same_digest_and_one_more_another(world: World) -> None:
    found = accepted(world.agent, extraction(world.agent, 100))
    digests = [built(world, found).digest for _ in range(2)]
    assert digests[0] == digests[1]
    Assignment.objects.create(span=extraction(world.agent, 1, first=950)[0], task=found)
    assert built(world, found).digest != digests[0]


def test_a_frozen_dataset_never_changes(world: World) -> None:
    dataset = built(world, accepted(world.agent, extraction(world.agent, 100)))
    dataset.counts = Counts()
    with pytest.raises(FrozenError):
        dataset.save()
    example = dataset.examples.all()[0]
    example.prompt = "changed"
    with pytest.raises(FrozenError):
        example.save()
    with pytest.raises(FrozenError):
        example.delete()
    stored = DatasetVersion.objects.get(pk=dataset.pk)
    assert stored.counts.calls == 100


def test_it_says_what_wording_and_values_are_shared(world: World) -> None:
    step = Step(world.agent, system="Queue and order.")
    calls = [
        step.call(f"My parcel P-{n:04d} is late", f'{{"queue":"{("a", "b")[n % 2]}","order":"P-{n:04d}"}}')
        for n in range(200)
    ]
    overlap = built(world, accepted(world.agent, calls)).overlap
    assert overlap.wording.seen == overlap.wording.of > 30
    assert overlap.values == Seen(seen=0, of=overlap.wording.of)
    assert overlap.choices.seen == overlap.choices.of
    assert in_words(overlap) == [
        "Wording: 100 % of the held-out prompts are worded like a training prompt.",
        "Values: 0 % of the extracted values occur in training.",
        "Choices: 100 % of the values of fields with few kinds occur in training, as they must.",
    ]


def test_it_draws_no_more_than_the_caps(world: World) -> None:
    found = accepted(world.agent, extraction(world.agent, 200))
    dataset = built(world, found, Parameters(most_train=30, most_validation=3, most_test=10))
    assert [getattr(dataset.counts, split.value) for split in Split] == [30, 3, 10]
    assert dataset.left_out[Reason.OVER_CAP] == 200 - 43


def test_too_few_calls_are_refused_with_the_number_needed(world: World) -> None:
    with pytest.raises(services.TooSmallError, match="only 9 can be learnt") as refusal:
        built(world, accepted(world.agent, extraction(world.agent, 9)))
    assert "at least 20 for training" in refusal.value.hint
    assert "524 to 1,047 calls" in refusal.value.hint
    assert not DatasetVersion.objects.get().is_frozen


def test_it_builds_only_accepted_tasks_and_one_at_a_time(world: World) -> None:
    with pytest.raises(services.NotAcceptedError, match="found"):
        services.build(task=task(world.agent, extraction(world.agent, 3)), actor=world.engineer)
    found = accepted(world.agent, extraction(world.agent, 3, first=10))
    first = services.build(task=found, actor=world.engineer)
    with pytest.raises(AlreadyRunningError) as second:
        services.build(task=found, actor=world.engineer)
    assert second.value.job == first.job
    assert found.dataset_versions.count() == 1


def test_a_split_is_written_as_training_reads_it(world: World, tmp_path: Path) -> None:
    dataset = built(world, accepted(world.agent, extraction(world.agent, 100)))
    written = write_split(dataset, Split.TEST, tmp_path / "test.jsonl")
    rows = [orjson.loads(line) for line in (tmp_path / "test.jsonl").read_bytes().splitlines()]
    assert written == len(rows) == dataset.counts.test
    assert rows[0].keys() == {"id", "prompt", "completion"}


def test_a_native_dataset_leaves_nothing_out_and_is_written_as_chat_shapes(
    world: World, tmp_path: Path
) -> None:
    found = accepted(world.agent, extraction(world.agent, 100))
    compact = built(world, found)
    native = built(world, found, prompt_format=NATIVE)
    write_split(native, Split.TEST, tmp_path / "test.jsonl")
    row = orjson.loads((tmp_path / "test.jsonl").read_bytes().splitlines()[0])
    assert (compact.prompt_format, native.prompt_format) == (COMPACT, NATIVE)
    assert native.static_prompt == NOTHING_STATIC
    assert native.digest != compact.digest
    assert row.keys() == {"id", "messages", "tools", "answer"}
    assert row["messages"][0] == {"role": "system", "content": SYSTEM}
