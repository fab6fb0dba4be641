"""Whom an OTLP body is about: a collector sends in one body what several services, hence agents, told it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import orjson
from django.utils.text import slugify
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from slmhub.formats.fields import object_in, objects_in
from slmhub.formats.otlp import wire_json
from slmhub.formats.otlp.wire import Checked

PROJECT_KEYS = ("openinference.project.name", "service.name")


class Signal(NamedTuple):
    """How the spans, or the log records, of an export are reached in either encoding."""

    message: Any
    keys: wire_json.Keys
    noun: str

    @property
    def fields(self) -> tuple[str, ...]:
        """The names in protobuf: groups, scopes, items."""
        return tuple(names[-1] for names in self.keys)


TRACES = Signal(ExportTraceServiceRequest, wire_json.SPANS, "spans")
LOGS = Signal(ExportLogsServiceRequest, wire_json.LOGS, "log records")


@dataclass(frozen=True)
class Group:
    """Spans or log records of one resource: what names its agent, and which traces they belong to."""

    sent: Any
    names: Mapping[str, str]
    traces: tuple[str, ...]

    def agent(self, agents: Mapping[str, int]) -> int | None:
        slugs = (slugify(self.names[key]) for key in PROJECT_KEYS if key in self.names)
        return next((agents[slug] for slug in slugs if slug in agents), None)


@dataclass(frozen=True)
class Export:
    """A body that was checked: it decodes, and its groups are lists."""

    plain: bytes
    protobuf: bool
    signal: Signal

    @cached_property
    def groups(self) -> list[Group]:
        return list(self._of_protobuf() if self.protobuf else self._of_json())

    def projects(self) -> Iterable[str]:
        """The project's, or else the service's, names of all resources."""
        for key in PROJECT_KEYS:
            if names := [group.names[key] for group in self.groups if key in group.names]:
                return names
        return ()

    def shares(self, agents: Mapping[str, int]) -> tuple[dict[int, bytes], int]:
        """A body for each agent, and how many spans nobody claims.

        What a resource sends that names no agent goes where the rest of its trace goes: one service may
        serve many.
        """
        shares: dict[int, list[Any]] = {}
        left = 0
        owners = self._owners(agents)
        for group in self.groups:
            if (agent := group.agent(agents)) is not None:
                shares.setdefault(agent, []).append(group.sent)
                continue
            for owner, part in self._by_trace(group, owners).items():
                shares.setdefault(owner, []).append(part)
            left += sum(trace not in owners for trace in group.traces)
        return {agent: self._body(groups) for agent, groups in shares.items()}, left

    def _owners(self, agents: Mapping[str, int]) -> dict[str, int]:
        """Whose the traces are that a named resource took part in; of several the first."""
        owners: dict[str, int] = {}
        for group in self.groups:
            if (agent := group.agent(agents)) is not None:
                for trace in group.traces:
                    owners.setdefault(trace, agent)
        return owners

    def _by_trace(self, group: Group, owners: Mapping[str, int]) -> dict[int, Any]:
        wanted: dict[int, set[str]] = {}
        for trace in group.traces:
            if trace in owners:
                wanted.setdefault(owners[trace], set()).add(trace)
        only = self._only_of_protobuf if self.protobuf else self._only_of_json
        return {agent: only(group.sent, traces) for agent, traces in wanted.items()}

    def without(self, checked: Checked, left: int) -> Checked:
        """What the caller hears when so many of its spans were left."""
        if not left:
            return checked
        reason = f"{left} {self.signal.noun}: neither their resource nor their trace names a known agent"
        accepted = max(checked.accepted - left, 0)
        rejected = checked.rejected + checked.accepted - accepted
        return replace(checked, accepted=accepted, rejected=rejected, reasons=[*checked.reasons, reason])

    def _of_protobuf(self) -> Iterator[Group]:
        groups, scopes, items = self.signal.fields
        for group in getattr(self.signal.message.FromString(self.plain), groups):
            names = {pair.key: pair.value.string_value for pair in group.resource.attributes}
            traces = [
                item.trace_id.hex() for scope in getattr(group, scopes) for item in getattr(scope, items)
            ]
            yield Group(group, _told(names), tuple(traces))

    def _of_json(self) -> Iterator[Group]:
        keys = self.signal.keys
        for group in objects_in(wire_json.field(orjson.loads(self.plain), keys.groups)):
            names = wire_json.attributes_of(object_in(group.get("resource")).get("attributes"))
            found = wire_json.items_of([group], keys)
            traces = [wire_json.ids_of(item)[0].hex() for _, _, item in found if isinstance(item, dict)]
            yield Group(group, _told(names), tuple(traces))

    def _only_of_protobuf(self, sent: Any, traces: Container[str]) -> Any:
        _, scopes, items = self.signal.fields
        part = type(sent)()
        part.CopyFrom(sent)
        for scope in getattr(part, scopes):
            kept = [item for item in getattr(scope, items) if item.trace_id.hex() in traces]
            scope.ClearField(items)
            getattr(scope, items).extend(kept)
        return part

    def _only_of_json(self, sent: Any, traces: Container[str]) -> Any:
        keys = self.signal.keys
        scopes = [
            {**scope, keys.items[0]: [item for item in items if wire_json.ids_of(item)[0].hex() in traces]}
            for scope in wire_json.objects_of(sent, *keys.scopes)
            if (items := wire_json.objects_of(scope, *keys.items))
        ]
        return {**sent, keys.scopes[0]: scopes}

    def _body(self, groups: list[Any]) -> bytes:
        if not self.protobuf:
            return orjson.dumps({self.signal.keys.groups[0]: groups})
        message = self.signal.message()
        getattr(message, self.signal.fields[0]).extend(groups)
        return bytes(message.SerializeToString())


def _told(names: Mapping[str, Any]) -> dict[str, str]:
    return {key: name for key in PROJECT_KEYS if isinstance(name := names.get(key), str) and name}
