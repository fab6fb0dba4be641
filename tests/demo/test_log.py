from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import phonenumbers

from slmhub.demo.__main__ import main
from slmhub.demo.log import LoggedCall, generate
from slmhub.demo.planted import Entity, iban_valid, luhn_valid
from slmhub.demo.steps import MACHINE_STEPS, REPLY
from tests.demo.conftest import UNTIL


def steps_of(log: list[LoggedCall]) -> Counter[str]:
    return Counter(call.truth["step"] for call in log)


def answer_of(call: LoggedCall) -> dict:
    return call.line["response"]["choices"][0]["message"]


def planted_values(log: list[LoggedCall], entity: Entity) -> set[str]:
    return {p["value"] for call in log for p in call.truth["planted"] if p["entity"] == entity}


def test_it_writes_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        out, truth = str(tmp_path / f"{name}.jsonl.gz"), str(tmp_path / f"{name}.truth.jsonl")
        main(["--calls", "300", "--seed", "3", "--until", "2026-11-23", "--out", out, "--truth", truth])
    assert (tmp_path / "one.jsonl.gz").read_bytes() == (tmp_path / "two.jsonl.gz").read_bytes()
    assert (tmp_path / "one.truth.jsonl").read_bytes() == (tmp_path / "two.truth.jsonl").read_bytes()


def test_it_writes_other_sessions_for_another_seed() -> None:
    one, two = (generate(200, seed, UNTIL) for seed in (1, 2))
    assert not {c.line["session_id"] for c in one} & {c.line["session_id"] for c in two}


def test_every_line_is_an_openai_chat_log_call(tmp_path: Path) -> None:
    main(["--calls", "200", "--until", "2026-11-23", "--out", str(tmp_path / "log.jsonl.gz")])
    with gzip.open(tmp_path / "log.jsonl.gz", "rt", encoding="utf-8") as lines:
        calls = [json.loads(line) for line in lines]
    assert len({call["id"] for call in calls}) == len(calls) >= 200
    for call in calls:
        assert {m["role"] for m in call["request"]["messages"]} <= {"system", "user", "assistant", "tool"}
        (choice,) = call["response"]["choices"]
        assert choice["message"]["role"] == "assistant"
        assert choice["finish_reason"] in {"stop", "tool_calls", "length"}
        assert call["response"]["usage"]["prompt_tokens"] > 0
        assert 600 <= call["latency_ms"] <= 3000


def test_it_holds_the_calls_of_at_least_seven_machine_facing_steps(demo_log: list[LoggedCall]) -> None:
    counts = steps_of(demo_log)
    assert len(MACHINE_STEPS) >= 7
    assert all(700 <= counts[step] <= 1000 for step in ("triage", "extract", "refund", "callback", "lookup"))
    assert all(counts[step] >= 300 for step in ("intent", "status"))
    assert 0.17 <= counts[REPLY.name] / len(demo_log) <= 0.25


def test_each_step_has_a_standing_prompt_of_its_own(demo_log: list[LoggedCall]) -> None:
    prompts = {(c.truth["step"], c.line["request"]["messages"][0]["content"]) for c in demo_log}
    assert len(prompts) == len({prompt for _, prompt in prompts}) == len(steps_of(demo_log))


def test_customers_texts_are_short_enough_for_a_tiny_model(demo_log: list[LoggedCall]) -> None:
    texts = [
        c.line["request"]["messages"][-1]["content"] for c in demo_log if c.truth["audience"] == "machine"
    ]
    sizes = sorted(len(text.encode()) for text in texts)
    assert sizes[-1] <= 256
    assert sizes[len(sizes) * 9 // 10] <= 160


def test_extracted_values_hardly_ever_occur_in_another_session(demo_log: list[LoggedCall]) -> None:
    extracted = [c for c in demo_log if c.truth["step"] == "extract"]
    values = [v for c in extracted for v in json.loads(c.truth["expected"]["content"]).values()]
    counts = Counter(values)
    assert sum(counts[v] > 1 for v in values) / len(values) < 0.02


def test_failed_sessions_are_few_and_their_answers_often_wrong(demo_log: list[LoggedCall]) -> None:
    outcome = {c.line["session_id"]: c.line["metadata"]["outcome"] for c in demo_log}
    assert 0.05 <= list(outcome.values()).count("failure") / len(outcome) <= 0.11
    right = {
        wanted: [c.truth["right"] for c in demo_log if c.line["metadata"]["outcome"] == wanted]
        for wanted in ("success", "failure")
    }
    assert sum(right["success"]) / len(right["success"]) >= 0.99
    assert sum(right["failure"]) / len(right["failure"]) <= 0.6


def test_planted_data_is_there_and_its_checksums_hold(demo_log: list[LoggedCall]) -> None:
    found = {entity: planted_values(demo_log, entity) for entity in Entity}
    assert all(len(values) >= 30 for values in found.values())
    assert all(luhn_valid(card) for card in found[Entity.CREDIT_CARD])
    assert all(iban_valid(iban) for iban in found[Entity.IBAN])
    valid = [phonenumbers.is_valid_number(phonenumbers.parse(p)) for p in found[Entity.PHONE]]
    assert sum(valid) / len(valid) >= 0.95


def test_planted_data_stands_in_prompts_but_never_in_machine_facing_answers(
    demo_log: list[LoggedCall],
) -> None:
    for call in demo_log:
        prompt = json.dumps(call.line["request"]["messages"], ensure_ascii=False)
        expected = json.dumps(call.truth["expected"], ensure_ascii=False)
        for planted in call.truth["planted"]:
            assert planted["value"] in prompt
            assert planted["value"] not in expected


def test_tool_arguments_are_json_in_successful_sessions(demo_log: list[LoggedCall]) -> None:
    calls = [c for m in map(answer_of, demo_log) for c in m.get("tool_calls", [])]
    assert len(calls) > 2000
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)


def test_status_calls_follow_a_look_up_result(demo_log: list[LoggedCall]) -> None:
    status = [c for c in demo_log if c.truth["step"] == "status"]
    for call in status:
        *_, asked, result = call.line["request"]["messages"]
        assert asked["tool_calls"][0]["function"]["name"] == "lookup_order"
        assert result["tool_call_id"] == asked["tool_calls"][0]["id"]


def test_replies_carry_the_chat_so_far(demo_log: list[LoggedCall]) -> None:
    replies = [c for c in demo_log if c.truth["audience"] == "human"]
    turns = [sum(m["role"] == "user" for m in c.line["request"]["messages"]) for c in replies]
    assert max(turns) >= 4
    assert sum(turns) / len(turns) > 1.5


def test_it_covers_the_thirty_days_before_until_with_quiet_sundays(demo_log: list[LoggedCall]) -> None:
    moments = [datetime.fromisoformat(c.line["timestamp"]) for c in demo_log]
    assert moments == sorted(moments)
    assert UNTIL - timedelta(days=30) <= moments[0] < UNTIL - timedelta(days=28)
    assert UNTIL - timedelta(days=2) < moments[-1] <= UNTIL
    weekdays = Counter(moment.weekday() for moment in moments)
    assert weekdays[6] < weekdays[0] / 2
    assert sum(8 <= m.hour < 18 for m in moments) / len(moments) > 0.6
