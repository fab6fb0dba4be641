"""Every address that takes traces: how its body is checked, and how it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from apps.traces.intake.answers import (
    JSON,
    PROTOBUF,
    Refusal,
    Refuse,
    Reply,
    accepted_logs,
    accepted_traces,
    json_reply,
    refused_langfuse,
    refused_langsmith,
    refused_otlp,
)
from apps.traces.intake.decode import is_json
from apps.traces.intake.spool import Way
from apps.traces.models import Source
from slmhub.formats import MalformedError
from slmhub.formats.otlp import wire
from slmhub.formats.platforms import langfuse_ingestion
from slmhub.formats.platforms.langsmith_multipart import parts_of

_PROJECT_KEYS = ("openinference.project.name", "service.name")
_LANGSMITH = ("", "/api/v1")
_KEPT_PARTS = ("post.", "patch.", "feedback.")


@dataclass(frozen=True)
class Body:
    """A received body without its content encoding; `document` is what its check has decoded."""

    plain: bytes
    content_type: str

    @property
    def protobuf(self) -> bool:
        return not is_json(self.content_type)


class Verdict(NamedTuple):
    """What the cheap check says: the reply to give once the body is safe, whether there is anything to keep,
    and the names that may be an agent's."""

    reply: Reply
    keep: bool = True
    projects: Callable[[], Iterable[str]] = tuple


class Door(NamedTuple):
    method: str
    way: Way
    source: Source
    refuse: Refuse
    check: Callable[[Body], Verdict]
    types: tuple[bytes, ...] = (JSON,)


def door_of(path: str) -> dict[str, tuple[Door, str]]:
    """The doors at an address by method, each with the id that stands in the address."""
    if path in _EXACT:
        return {door.method: (door, "") for door in _EXACT[path]}
    if found := _RUN.fullmatch(path):
        return {_UPDATE.method: (_UPDATE, found[1])}
    return {}


def _check_traces(body: Body) -> Verdict:
    checked = wire.check_traces(body.plain, not body.protobuf) if body.plain else _NOTHING
    return Verdict(
        accepted_traces(checked, body.protobuf),
        checked.accepted + checked.rejected > 0,
        lambda: _resource_names(body),
    )


def _check_logs(body: Body) -> Verdict:
    checked = wire.check_logs(body.plain, not body.protobuf) if body.plain else _NOTHING
    return Verdict(
        accepted_logs(checked, body.protobuf),
        checked.accepted + checked.rejected > 0,
        lambda: _resource_names(body),
    )


def _resource_names(body: Body) -> Iterable[str]:
    """The project's and the service's names of all resources; logs have theirs at the same places."""
    if body.protobuf:
        request: Any = ExportTraceServiceRequest.FromString(body.plain)
        pairs = [(a.key, a.value.string_value) for r in request.resource_spans for a in r.resource.attributes]
    else:
        spans = wire_resources(orjson.loads(body.plain))
        pairs = [(str(a.get("key")), _string_of(a.get("value"))) for a in spans]
    for key in _PROJECT_KEYS:
        if names := [value for name, value in pairs if name == key and value]:
            return names
    return ()


def wire_resources(document: Any) -> list[dict[str, Any]]:
    """The resource attributes of an export in JSON, as far as they have the shape of any."""
    groups = [*_list(document, "resourceSpans"), *_list(document, "resourceLogs")]
    resources = [group.get("resource") for group in groups if isinstance(group, dict)]
    return [pair for one in resources for pair in _list(one, "attributes") if isinstance(pair, dict)]


def _list(value: Any, key: str) -> list[Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _string_of(value: Any) -> str:
    found = value.get("stringValue") if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def _check_langfuse(body: Body) -> Verdict:
    document = _object(body)
    successes, errors = langfuse_ingestion.answers(document)
    return Verdict(json_reply(207, {"successes": successes, "errors": errors}), bool(successes))


def _check_scores(body: Body) -> Verdict:
    """A score, or a list of them, as newer SDKs post them."""
    batch = langfuse_ingestion.batch_of_scores(_decoded(body))
    successes, errors = langfuse_ingestion.answers(batch)
    if not successes:
        raise MalformedError(errors[0]["message"] if errors else "there is no score")
    return Verdict(json_reply(200, {"id": successes[0]["id"]}))


def _check_batch(body: Body) -> Verdict:
    document = _object(body)
    lists = [document.get(name) or [] for name in ("post", "patch")]
    if not all(isinstance(one, list) for one in lists):
        raise MalformedError("`post` and `patch` must be lists of runs")
    runs = [run for one in lists for run in one if isinstance(run, dict) and run.get("id")]
    if not runs and any(lists):
        raise MalformedError("no run has an id")
    return Verdict(_taken("Runs batch ingested"), bool(runs), lambda: _session_names(runs))


def _check_run(body: Body) -> Verdict:
    run = _object(body)
    if not run:
        raise MalformedError("the run is empty")
    return Verdict(_taken("Run taken"), True, lambda: _session_names([run]))


def _check_multipart(body: Body) -> Verdict:
    parts = list(parts_of(body.plain, body.content_type))
    keep = any(part.name.startswith(_KEPT_PARTS) for part in parts)
    return Verdict(_taken("Runs multipart ingested"), keep, lambda: _session_names(_runs(parts)))


def _runs(parts: Iterable[Any]) -> list[Any]:
    """The runs of a multipart body, without their inputs and outputs."""
    found = []
    for part in parts:
        if part.name.count(".") == 1:
            try:
                found.append(orjson.loads(part.data))
            except orjson.JSONDecodeError:
                continue
    return found


def _session_names(runs: Iterable[Any]) -> list[str]:
    names = (run.get("session_name") for run in runs if isinstance(run, dict))
    return [name for name in names if isinstance(name, str)]


def _taken(message: str) -> Reply:
    return json_reply(202, {"message": message})


def _decoded(body: Body) -> Any:
    try:
        return orjson.loads(body.plain)
    except orjson.JSONDecodeError as error:
        raise MalformedError(f"the body is not JSON: {error.msg} at character {error.pos}") from error


def _object(body: Body) -> dict[str, Any]:
    document = _decoded(body)
    if not isinstance(document, dict):
        raise MalformedError("the body must be a JSON object")
    return document


def no_metrics(path: str) -> Refusal | None:
    if path in ("/v1/metrics", "/api/public/otel/v1/metrics"):
        return Refusal(404, "SLM Hub takes traces and logs. Set OTEL_METRICS_EXPORTER=none.")
    return None


_NOTHING = wire.Checked(0, 0, [])
_OTLP_TYPES = (PROTOBUF, b"application/protobuf", JSON)


def _otlp(way: Way, source: Source) -> Door:
    check = _check_traces if way is Way.OTLP_TRACES else _check_logs
    return Door("POST", way, source, refused_otlp, check, _OTLP_TYPES)


def _langsmith(method: str, way: Way, check: Callable[[Body], Verdict], *types: bytes) -> Door:
    return Door(method, way, Source.LANGSMITH, refused_langsmith, check, types or (JSON,))


_UPDATE = _langsmith("PATCH", Way.LANGSMITH_UPDATE, _check_run)
_RUN = re.compile(r"(?:/api/v1)?/runs/([0-9a-fA-F-]{8,64})")
_EXACT: dict[str, tuple[Door, ...]] = {
    "/v1/traces": (_otlp(Way.OTLP_TRACES, Source.OTLP),),
    "/v1/logs": (_otlp(Way.OTLP_LOGS, Source.OTLP),),
    "/api/public/otel/v1/traces": (_otlp(Way.OTLP_TRACES, Source.LANGFUSE),),
    "/api/public/ingestion": (
        Door("POST", Way.LANGFUSE, Source.LANGFUSE, refused_langfuse, _check_langfuse),
    ),
    "/api/public/scores": (
        Door("POST", Way.LANGFUSE_SCORES, Source.LANGFUSE, refused_langfuse, _check_scores),
    ),
}
for _prefix in _LANGSMITH:
    _EXACT |= {
        f"{_prefix}/runs": (_langsmith("POST", Way.LANGSMITH_CREATE, _check_run),),
        f"{_prefix}/runs/batch": (_langsmith("POST", Way.LANGSMITH_BATCH, _check_batch),),
        f"{_prefix}/runs/multipart": (
            _langsmith("POST", Way.LANGSMITH_MULTIPART, _check_multipart, b"multipart/form-data"),
        ),
        f"{_prefix}/otel/v1/traces": (_otlp(Way.OTLP_TRACES, Source.LANGSMITH),),
    }
