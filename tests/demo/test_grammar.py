from __future__ import annotations

import random

import pytest

from slmhub.demo.answering import answer
from slmhub.demo.fresh import fresh_requests
from slmhub.demo.log import LoggedCall
from slmhub.demo.messages import same_answer
from slmhub.demo.steps import CALLBACK, EXTRACT, REFUND, TRIAGE, Step


def asked(step: Step, text: str) -> list[dict]:
    return [{"role": "system", "content": step.system}, {"role": "user", "content": text}]


def test_it_answers_every_logged_prompt_with_the_expected_answer(demo_log: list[LoggedCall]) -> None:
    for call in demo_log:
        given = answer(call.line["request"]["messages"]).message(call.line["id"])
        assert same_answer(call.truth["expected"], given), call.line["id"]


@pytest.mark.parametrize("step", [TRIAGE, EXTRACT, REFUND, CALLBACK], ids=lambda step: step.name)
def test_it_reads_texts_whose_values_were_replaced_by_surrogates(step: Step) -> None:
    slots = {
        "queue": "billing", "urgent": True, "order": "[ORDER_4]", "name": "[PERSON_12]",
        "city": "<LOCATION_3>", "amount": "[AMOUNT_9]", "date": "[DATE_1]",
    }  # fmt: skip
    rng = random.Random(5)
    for _ in range(50):
        text = step.write(rng, slots, ("My e-mail is [EMAIL_12].",))
        assert answer(asked(step, text)) == step.answer(slots)


def test_it_reads_unknown_wordings_by_the_shape_of_their_values() -> None:
    given = answer(asked(REFUND, "refund me 12.50 for AB-12345, will you"))
    assert (given.tool, given.fields) == ("issue_refund", {"order": "AB-12345", "amount": "12.50"})


def test_it_says_so_when_it_cannot_read_a_text() -> None:
    given = answer(asked(CALLBACK, "call me maybe"))
    assert given.tool is None
    assert "could not read" in given.text


def test_it_answers_unknown_tasks_politely() -> None:
    assert "simulated" in answer([{"role": "user", "content": "Write a poem."}]).text


def test_it_finds_the_step_although_white_space_changed() -> None:
    prompt = {"role": "system", "content": [{"type": "text", "text": REFUND.system.replace("\n", "  \n")}]}
    given = answer([prompt, {"role": "user", "content": "Please refund 9.99 EUR for order AB-12345."}])
    assert given.tool == "issue_refund"


def test_its_mistakes_are_as_many_as_asked_for_and_always_the_same() -> None:
    requests = fresh_requests(seed=11, n=2000)
    answers = [answer(r.request["messages"], error_rate=0.1).message("") for r in requests]
    again = [answer(r.request["messages"], error_rate=0.1).message("") for r in requests]
    assert answers == again
    wrong = sum(not same_answer(r.expected, given) for r, given in zip(requests, answers, strict=True))
    assert 150 <= wrong <= 250


def test_fresh_requests_never_stand_in_the_log(demo_log: list[LoggedCall]) -> None:
    logged = {str(c.line["request"]["messages"]) for c in demo_log}
    people = {value for c in demo_log for value in c.truth["person"].values()}
    for fresh in fresh_requests(seed=1, n=700):
        assert str(fresh.request["messages"]) not in logged
        assert not any(value in str(fresh.request["messages"][1:]) for value in people)


def test_fresh_requests_take_the_steps_in_turn_and_repeat_for_a_seed() -> None:
    requests = fresh_requests(seed=2, n=14)
    assert len({r.step for r in requests}) == 7
    assert requests == fresh_requests(seed=2, n=14)
