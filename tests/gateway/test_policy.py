"""Who is asked, in what order, until when and why: decided without asking anybody."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apps.gateway import policy
from apps.gateway.policy import Plan, RouteEntry, Step, TeacherEntry, plan_for, route_of
from slmhub.chat_client import Endpoint
from slmhub.formats.signature import routing_signature
from tests.gateway.desk import ASK
from tests.gateway.specialists import LOOKUP, completion

ROUTE = RouteEntry(task_id=1, specialist="desk-1@abc", threshold=0.5, actions=frozenset({"tool:lookup"}))
TEACHER = TeacherEntry(Endpoint("http://127.0.0.1:1/v1"), model="big", simulated=False)
NOW = 1000.0


def plan(
    request: Any = ASK, *, route: RouteEntry | None = ROUTE, teacher: TeacherEntry | None = TEACHER
) -> Plan:
    return plan_for(request, route=route, teacher=teacher, now=NOW)


def test_the_specialist_of_a_route_is_asked_first_and_briefly() -> None:
    assert plan().steps == (
        Step(ROUTE, until=NOW + 10, connect_s=1, why=policy.ROUTED),
        Step(TEACHER, until=NOW + 600, connect_s=5, why=policy.IN_DOUBT),
    )
    assert plan().fallback == ""


def test_without_a_route_the_teacher_is_asked() -> None:
    assert plan(route=None) == Plan((Step(TEACHER, NOW + 600, 5, policy.NO_ROUTE),))


def test_what_no_specialist_can_do_goes_to_the_teacher_and_it_is_said_why() -> None:
    several = plan({**ASK, "n": 2})
    assert [(step.backend, step.why) for step in several.steps] == [(TEACHER, policy.SEVERAL_ANSWERS)]
    assert several.fallback == policy.SEVERAL_ANSWERS
    # Without a route nothing was fallen back from.
    assert plan({**ASK, "n": 2}, route=None).fallback == ""


def test_without_a_teacher_the_specialist_is_asked_alone() -> None:
    assert [step.backend for step in plan(teacher=None).steps] == [ROUTE]
    assert plan(route=None, teacher=None).steps == ()


def test_a_route_holds_for_the_calls_of_its_agent_that_look_like_it() -> None:
    asked: Any = ASK
    routes = {(7, routing_signature(asked["messages"], asked["tools"])): ROUTE}
    assert route_of(routes, 7, ASK) == ROUTE
    assert route_of(routes, 8, ASK) is None
    assert route_of(routes, 7, {**ASK, "tools": []}) is None


@pytest.mark.parametrize(
    "messages", [5, [{"role": 5}], [{"role": "tool"}, {"role": "assistant", "tool_calls": 5}]]
)
def test_messages_of_no_known_shape_have_no_route(messages: Any) -> None:
    assert route_of({}, 7, {"messages": messages, "tools": None}) is None


@pytest.mark.parametrize("calls", [["x"], [LOOKUP["tool_calls"][0], None], 5, {"a": 1}])
def test_tool_calls_that_are_none_are_not_passed_on(calls: Any) -> None:
    anything_goes = replace(ROUTE, actions=frozenset())
    said = completion({"role": "assistant", "content": "Well", "tool_calls": calls})
    assert policy.doubt(anything_goes, said) == "malformed answer"
    assert policy.doubt(anything_goes, completion(LOOKUP)) == ""
