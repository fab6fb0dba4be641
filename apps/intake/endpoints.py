"""Every address that takes traces: how its body is checked, and how it answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from apps.ingest.decode import is_json
from apps.intake import resources
from apps.intake.answers import (
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
from apps.spool.record import PayloadKind
from apps.traces.models import Source
from slmhub.formats import MalformedError
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.otlp import wire
from slmhub.formats.platforms import langfuse_ingestion
from slmhub.formats.platforms.langsmith_multipart import parts_of

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


class Split(NamedTuple):
    """A body about several agents: the share of each, and the reply once all of them are safe."""

    shares: Mapping[int, bytes]
    reply: Reply


class CheckResult(NamedTuple):
    """What the cheap check says: the reply to give once the body is safe, whether there is anything to keep,
    the names that may be an agent's, and how to split it if these are several."""

    reply: Reply
    keep: bool = True
    projects: Callable[[], Iterable[str]] = tuple
    split: Callable[[Mapping[str, int]], Split] | None = None


class Endpoint(NamedTuple):
    method: str
    kind: PayloadKind
    source: Source
    refuse: Refuse
    check: Callable[[Body], CheckResult]
    types: tuple[bytes, ...] = (JSON,)


def endpoint_of(path: str) -> dict[str, tuple[Endpoint, str]]:
    """The endpoints at an address by method, each with the id that stands in the address."""
    if path in _EXACT:
        return {endpoint.method: (endpoint, "") for endpoint in _EXACT[path]}
    if found := _RUN.fullmatch(path):
        return {_UPDATE.method: (_UPDATE, found[1])}
    return {}


def _check_traces(body: Body) -> CheckResult:
    checked = wire.check_traces(body.plain, not body.protobuf) if body.plain else _NOTHING
    return _exported(body, checked, resources.TRACES, accepted_traces)


def _check_logs(body: Body) -> CheckResult:
    checked = wire.check_logs(body.plain, not body.protobuf) if body.plain else _NOTHING
    return _exported(body, checked, resources.LOGS, accepted_logs)


def _exported(
    body: Body,
    checked: wire.Checked,
    signal: resources.Signal,
    accepted: Callable[[wire.Checked, bool], Reply],
) -> CheckResult:
    export = resources.Export(body.plain, body.protobuf, signal)

    def split(agents: Mapping[str, int]) -> Split:
        shares, left = export.shares(agents)
        return Split(shares, accepted(export.without(checked, left), body.protobuf))

    keep = checked.accepted + checked.rejected > 0
    return CheckResult(accepted(checked, body.protobuf), keep, export.projects, split)


def _check_langfuse(body: Body) -> CheckResult:
    document = _object(body)
    successes, errors = langfuse_ingestion.answers(document)
    return CheckResult(json_reply(207, {"successes": successes, "errors": errors}), bool(successes))


def _check_scores(body: Body) -> CheckResult:
    """A score, or a list of them, as newer SDKs post them."""
    batch = langfuse_ingestion.batch_of_scores(_decoded(body))
    successes, errors = langfuse_ingestion.answers(batch)
    if not successes:
        raise MalformedError(errors[0]["message"] if errors else "there is no score")
    return CheckResult(json_reply(200, {"id": successes[0]["id"]}))


def _check_batch(body: Body) -> CheckResult:
    document = _object(body)
    lists = [document.get(name) or [] for name in ("post", "patch")]
    if not all(isinstance(one, list) for one in lists):
        raise MalformedError("`post` and `patch` must be lists of runs")
    runs = [run for one in lists for run in one if isinstance(run, dict) and run.get("id")]
    if not runs and any(lists):
        raise MalformedError("no run has an id")
    return CheckResult(_taken("Runs batch ingested"), bool(runs), lambda: _session_names(runs))


def _check_run(body: Body) -> CheckResult:
    run = _object(body)
    if not run:
        raise MalformedError("the run is empty")
    return CheckResult(_taken("Run taken"), True, lambda: _session_names([run]))


def _check_multipart(body: Body) -> CheckResult:
    parts = list(parts_of(body.plain, body.content_type))
    keep = any(part.name.startswith(_KEPT_PARTS) for part in parts)
    return CheckResult(_taken("Runs multipart ingested"), keep, lambda: _session_names(_runs(parts)))


def _runs(parts: Iterable[Any]) -> list[Any]:
    """The runs of a multipart body, without their inputs and outputs."""
    found = []
    for part in parts:
        if part.name.count(".") == 1:
            try:
                found.append(decode(part.data))
            except NotJsonError:
                continue
    return found


def _session_names(runs: Iterable[Any]) -> list[str]:
    names = (run.get("session_name") for run in runs if isinstance(run, dict))
    return [name for name in names if isinstance(name, str)]


def _taken(message: str) -> Reply:
    return json_reply(202, {"message": message})


def _decoded(body: Body) -> Any:
    try:
        return decode(body.plain)
    except NotJsonError as error:
        raise MalformedError(f"the body {error}") from error


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


def _otlp(kind: PayloadKind, source: Source) -> Endpoint:
    check = _check_traces if kind is PayloadKind.OTLP_TRACES else _check_logs
    return Endpoint("POST", kind, source, refused_otlp, check, _OTLP_TYPES)


def _langsmith(
    method: str, kind: PayloadKind, check: Callable[[Body], CheckResult], *types: bytes
) -> Endpoint:
    return Endpoint(method, kind, Source.LANGSMITH, refused_langsmith, check, types or (JSON,))


_UPDATE = _langsmith("PATCH", PayloadKind.LANGSMITH_UPDATE, _check_run)
_RUN = re.compile(r"(?:/api/v1)?/runs/([0-9a-fA-F-]{8,64})")
_EXACT: dict[str, tuple[Endpoint, ...]] = {
    "/v1/traces": (_otlp(PayloadKind.OTLP_TRACES, Source.OTLP),),
    "/v1/logs": (_otlp(PayloadKind.OTLP_LOGS, Source.OTLP),),
    "/api/public/otel/v1/traces": (_otlp(PayloadKind.OTLP_TRACES, Source.LANGFUSE),),
    "/api/public/ingestion": (
        Endpoint("POST", PayloadKind.LANGFUSE, Source.LANGFUSE, refused_langfuse, _check_langfuse),
    ),
    "/api/public/scores": (
        Endpoint("POST", PayloadKind.LANGFUSE_SCORES, Source.LANGFUSE, refused_langfuse, _check_scores),
    ),
}
for _prefix in _LANGSMITH:
    _EXACT |= {
        f"{_prefix}/runs": (_langsmith("POST", PayloadKind.LANGSMITH_CREATE, _check_run),),
        f"{_prefix}/runs/batch": (_langsmith("POST", PayloadKind.LANGSMITH_BATCH, _check_batch),),
        f"{_prefix}/runs/multipart": (
            _langsmith("POST", PayloadKind.LANGSMITH_MULTIPART, _check_multipart, b"multipart/form-data"),
        ),
        f"{_prefix}/otel/v1/traces": (_otlp(PayloadKind.OTLP_TRACES, Source.LANGSMITH),),
    }
