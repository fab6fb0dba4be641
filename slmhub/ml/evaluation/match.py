"""Is an answer the expected one? Exactly, and as BFCL's AST checker sees it.

After ShishirPatil/gorilla, bfcl_eval/eval_checker/ast_eval/ast_checker.py: exact function name, required
parameters present, none unexpected, types equal, strings compared without case, spaces and punctuation.
Parallel calls match in any order. JSON content is compared by the same rules, other text word by word.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from slmhub.ml.evaluation.answers import Answer, ToolCall, read_answer

EMPTY: tuple[Any, ...] = (None, "", [], {})
IGNORED_IN_STRINGS = re.compile(r"[ ,./\-_*^]")


class ErrorKind(StrEnum):
    WRONG_FUNC_NAME = "wrong_func_name"
    MISSING_REQUIRED = "missing_required"
    UNEXPECTED_PARAM = "unexpected_param"
    TYPE_ERROR = "type_error"
    VALUE_ERROR = "value_error"
    NOT_JSON = "not_json"
    SHOULD_NOT_CALL = "should_not_call"
    SHOULD_CALL = "should_call"
    WRONG_COUNT = "wrong_count"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True)
class Comparison:
    """`fields`: top-level argument or JSON key (`tool.argument`) → right or not."""

    exact: bool
    match: bool
    valid: bool
    errors: tuple[ErrorKind, ...] = ()
    fields: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True)
class Parameters:
    """What a tool's JSON schema says about its parameters; `known` is False without a schema."""

    known: bool = False
    required: frozenset[str] = frozenset()
    properties: Mapping[str, Any] = field(default_factory=dict)

    def may_be_absent(self, name: str, expected: object) -> bool:
        return self.known and name not in self.required and self.is_default(name, expected)

    def is_default(self, name: str, value: object) -> bool:
        schema = self.properties.get(name)
        default = schema.get("default") if isinstance(schema, Mapping) else None
        return value in EMPTY or (default is not None and strictly_equal(value, default))


ANY_PARAMETERS = Parameters()


def compare(expected: object, answer: object, tools: Sequence[object] = ()) -> Comparison:
    """`expected` and `answer`: assistant messages or plain strings; `tools`: OpenAI tool definitions."""
    want, got, known = read_answer(expected), read_answer(answer), tool_parameters(tools)
    if not got.text and not got.calls and (want.text or want.calls):
        fields = dict.fromkeys(field_names(want), False)
        return Comparison(False, False, False, (ErrorKind.NO_ANSWER,), fields)
    errors = tuple(_errors(want, got, known))
    return Comparison(
        exact=_is_exact(want, got),
        match=not errors,
        valid=is_valid(got, want, known),
        errors=errors,
        fields=dict(_fields(want, got, known)),
    )


def tool_parameters(tools: Sequence[object]) -> dict[str, Parameters]:
    found = {}
    for tool in tools:
        function = tool.get("function", tool) if isinstance(tool, Mapping) else None
        if isinstance(function, Mapping):
            found[str(function.get("name", ""))] = _parameters(function.get("parameters"))
    return found


def _parameters(schema: object) -> Parameters:
    if not isinstance(schema, Mapping) or not isinstance(schema.get("properties"), Mapping):
        return ANY_PARAMETERS
    required = schema.get("required")
    names = frozenset(str(name) for name in required) if isinstance(required, list) else frozenset()
    return Parameters(known=True, required=names, properties=schema["properties"])


def is_valid(got: Answer, want: Answer, known: Mapping[str, Parameters]) -> bool:
    """Could the agent act on it: arguments are JSON, tools known, schema kept; JSON where JSON was due."""
    if got.calls:
        return all(_is_valid_call(call, known) for call in got.calls)
    return got.structure is not None if want.kind == "json" else bool(got.text)


def _is_valid_call(call: ToolCall, known: Mapping[str, Parameters]) -> bool:
    if call.arguments is None or (known and call.name not in known):
        return False
    parameters = known.get(call.name, ANY_PARAMETERS)
    given = set(call.arguments)
    return not parameters.known or (parameters.required <= given <= set(parameters.properties))


def _is_exact(want: Answer, got: Answer) -> bool:
    same_count = len(want.calls) == len(got.calls)
    return same_count and _same_content(want, got) and all(map(_same_call, want.calls, got.calls))


def _same_content(want: Answer, got: Answer) -> bool:
    if want.structure is not None and got.structure is not None:
        return strictly_equal(want.structure, got.structure)
    return want.text == got.text


def _same_call(want: ToolCall, got: ToolCall) -> bool:
    if want.arguments is None or got.arguments is None:
        return want.name == got.name and want.raw == got.raw
    return want.name == got.name and strictly_equal(want.arguments, got.arguments)


def strictly_equal(left: Any, right: Any) -> bool:
    """Equality in which True is not 1 and 1 is not 1.0."""
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(strictly_equal(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(strictly_equal, left, right))
    return bool(left == right)


def _errors(want: Answer, got: Answer, known: Mapping[str, Parameters]) -> Iterable[ErrorKind]:
    if want.calls and not got.calls:
        return (ErrorKind.SHOULD_CALL,)
    if got.calls and not want.calls:
        return (ErrorKind.SHOULD_NOT_CALL,)
    if want.calls:
        return _call_errors(want.calls, got.calls, known)
    if want.structure is not None:
        return (
            value_errors(want.structure, got.structure)
            if got.structure is not None
            else (ErrorKind.NOT_JSON,)
        )
    return () if _words(want.text) == _words(got.text) else (ErrorKind.VALUE_ERROR,)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s]", text.casefold())


def _call_errors(
    want: Sequence[ToolCall], got: Sequence[ToolCall], known: Mapping[str, Parameters]
) -> Iterator[ErrorKind]:
    if len(want) != len(got):
        yield ErrorKind.WRONG_COUNT
    for expected, answered in _pairs(want, got, known):
        if answered is not None:
            yield from call_errors(expected, answered, known.get(expected.name, ANY_PARAMETERS))


def _pairs(
    want: Sequence[ToolCall], got: Sequence[ToolCall], known: Mapping[str, Parameters]
) -> Iterator[tuple[ToolCall, ToolCall | None]]:
    """Each expected call with the unused answered call that fits it best."""
    free = list(got)
    for expected in sorted(want, key=lambda call: not _has_perfect(call, got, known)):
        parameters = known.get(expected.name, ANY_PARAMETERS)
        best = min(free, key=lambda call: len(call_errors(expected, call, parameters)), default=None)
        if best is not None:
            free.remove(best)
        yield expected, best


def _has_perfect(call: ToolCall, got: Sequence[ToolCall], known: Mapping[str, Parameters]) -> bool:
    return any(not call_errors(call, other, known.get(call.name, ANY_PARAMETERS)) for other in got)


def call_errors(want: ToolCall, got: ToolCall, parameters: Parameters) -> list[ErrorKind]:
    if want.name != got.name:
        return [ErrorKind.WRONG_FUNC_NAME]
    if want.arguments is None or got.arguments is None:
        same = want.arguments is None and want.raw == got.raw
        return [] if same else [ErrorKind.NOT_JSON]
    return list(_object_errors(want.arguments, got.arguments, parameters))


def _object_errors(
    want: Mapping[str, Any], got: Mapping[str, Any], parameters: Parameters = ANY_PARAMETERS
) -> Iterator[ErrorKind]:
    for name, value in want.items():
        if name in got:
            yield from value_errors(value, got[name])
        elif not parameters.may_be_absent(name, value):
            yield ErrorKind.MISSING_REQUIRED
    for name in got.keys() - want.keys():
        harmless = (
            parameters.known and name in parameters.properties and parameters.is_default(name, got[name])
        )
        if not harmless:
            yield ErrorKind.UNEXPECTED_PARAM


def value_errors(want: Any, got: Any) -> list[ErrorKind]:
    """Errors of a nested value; an integer may stand for a float, never the reverse."""
    if isinstance(want, float) and isinstance(got, int) and not isinstance(got, bool):
        got = float(got)
    if type(want) is not type(got):
        return [ErrorKind.TYPE_ERROR]
    if isinstance(want, dict):
        return list(_object_errors(want, got))
    if isinstance(want, list):
        return _list_errors(want, got)
    same = normalised(want) == normalised(got) if isinstance(want, str) else want == got
    return [] if same else [ErrorKind.VALUE_ERROR]


def _list_errors(want: list[Any], got: list[Any]) -> list[ErrorKind]:
    if len(want) != len(got):
        return [ErrorKind.VALUE_ERROR]
    return [error for left, right in zip(want, got, strict=True) for error in value_errors(left, right)]


def normalised(text: str) -> str:
    return IGNORED_IN_STRINGS.sub("", text).lower().replace("'", '"')


def field_names(want: Answer) -> list[str]:
    if isinstance(want.structure, dict) and not want.calls:
        return list(want.structure)
    return [f"{call.name}.{name}" for call in want.calls for name in (call.arguments or {})]


def _fields(want: Answer, got: Answer, known: Mapping[str, Parameters]) -> Iterator[tuple[str, bool]]:
    if want.calls:
        right: Counter[str] = Counter()
        for expected, answered in _pairs(want.calls, got.calls, known):
            right.update(name for name, ok in _call_fields(expected, answered) if ok)
        for name, count in Counter(field_names(want)).items():
            yield name, right[name] == count
    elif isinstance(want.structure, dict):
        found = got.structure if isinstance(got.structure, dict) else {}
        for name, value in want.structure.items():
            yield name, name in found and not value_errors(value, found[name])


def _call_fields(want: ToolCall, got: ToolCall | None) -> Iterator[tuple[str, bool]]:
    found = got.arguments or {} if got is not None and got.name == want.name else {}
    for name, value in (want.arguments or {}).items():
        yield f"{want.name}.{name}", name in found and not value_errors(value, found[name])
