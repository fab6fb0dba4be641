"""The body of LangSmith's `POST /runs/multipart` as the batch that it amounts to.

Parts are named `post.<id>`, `patch.<id>`, `post.<id>.inputs`, `feedback.<id>` and `attachment.<id>.<name>`;
a part, or the whole body, may be packed with zstd or gzip.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from email.message import Message as Headers
from typing import Any, NamedTuple

import zstandard

from slmhub.formats.fields import object_in
from slmhub.formats.foreign_json import NotJsonError, decode
from slmhub.formats.records import MalformedError

MIB = 1024 * 1024
LARGEST = 256 * MIB
_MOST_PARTS = 20_000
_MOST_HEADERS = 8192
_ZSTD, _GZIP = b"\x28\xb5\x2f\xfd", b"\x1f\x8b"
_FIELDS = frozenset({"inputs", "outputs", "events", "extra", "error", "serialized"})
_OPERATIONS = ("post", "patch")


class MultipartError(MalformedError):
    """The body is no multipart/form-data that a LangSmith client sends; the message says where it breaks."""


class Part(NamedTuple):
    name: str
    content_type: str
    data: bytes


def batch_of(body: bytes, content_type: str, *, largest: int = LARGEST) -> dict[str, Any]:
    """`{post: […], patch: […], feedback: […]}`; attachments are named in their run, their bytes dropped.

    A part that breaks its shape is listed in `rejected` as `{part, reason}`. Raises MultipartError when the
    body as a whole cannot be read, or unpacks to more than `largest` bytes.
    """
    runs: dict[tuple[str, str], dict[str, Any]] = {}
    batch: dict[str, Any] = {"post": [], "patch": [], "feedback": [], "rejected": []}
    attached: list[Part] = []
    allowed = largest
    for part in parts_of(body, content_type, largest=largest):
        operation, _, rest = part.name.partition(".")
        if operation == "attachment":
            attached.append(part)
            continue
        try:
            plain = unpacked(part.data, allowed)
            allowed -= len(plain)
            if operation in _OPERATIONS:
                _add_run_part(runs, operation, rest, _json_of(plain))
            elif operation == "feedback":
                batch["feedback"].append(_json_of(plain))
            else:
                raise MultipartError("its name is none of post, patch, feedback and attachment")
        except MultipartError as error:
            batch["rejected"].append({"part": part.name[:200], "reason": str(error)})
    # Only now, for an attachment may come before its run.
    for part in attached:
        _, run_id, name = (*part.name.split(".", 2), "")[:3]
        for operation in _OPERATIONS:
            run = runs.get((operation, run_id))
            if run:
                fact = {"content_type": part.content_type, "bytes": len(part.data)}
                run["attachments"] = {**object_in(run.get("attachments")), name: fact}
    for (operation, _), run in runs.items():
        batch[operation].append(run)
    return batch


def parts_of(body: bytes, content_type: str, *, largest: int = LARGEST) -> Iterator[Part]:
    """The parts in order, still packed if they are. Raises MultipartError."""
    delimiter = b"--" + _boundary_of(content_type)
    plain = unpacked(body, largest)
    start = plain.find(delimiter)
    if start < 0:
        raise MultipartError("the boundary of the Content-Type header does not occur in the body")
    for _ in range(_MOST_PARTS):
        start += len(delimiter)
        if plain.startswith(b"--", start):
            return
        end = _end_of(plain, delimiter, start)
        yield _part_of(plain[start:end])
        start = end + len(b"\r\n")
    raise MultipartError(f"the body holds more than {_MOST_PARTS:,} parts")


def unpacked(data: bytes, largest: int = LARGEST) -> bytes:
    """`data` itself unless it is zstd or gzip. Raises MultipartError when it is damaged or too large."""
    if data.startswith(_ZSTD):
        return _unzstd(data, largest)
    if not data.startswith(_GZIP):
        return data
    try:
        inflater = zlib.decompressobj(wbits=31)
        plain = inflater.decompress(data, largest + 1)
    except zlib.error as error:
        raise MultipartError(f"the gzip data is damaged: {error}") from error
    if len(plain) > largest:
        raise MultipartError(f"the gzip data unpacks to more than {largest:,} bytes")
    if not inflater.eof:
        raise MultipartError("the gzip data is cut off")
    return plain


def _unzstd(data: bytes, largest: int) -> bytes:
    pieces, size = [], 0
    try:
        # A client that flushes while it writes sends several frames.
        reader = zstandard.ZstdDecompressor(max_window_size=128 * MIB).stream_reader(
            data, read_across_frames=True
        )
        while piece := reader.read(MIB):
            size += len(piece)
            if size > largest:
                raise MultipartError(f"the zstd data unpacks to more than {largest:,} bytes")
            pieces.append(piece)
    except zstandard.ZstdError as error:
        raise MultipartError(f"the zstd data is damaged: {error}") from error
    return b"".join(pieces)


def _boundary_of(content_type: str) -> bytes:
    headers = Headers()
    headers["Content-Type"] = " ".join(content_type.split())
    boundary = headers.get_boundary()
    if headers.get_content_type() != "multipart/form-data" or not boundary or len(boundary) > 200:
        raise MultipartError("the Content-Type must be multipart/form-data with a boundary")
    return boundary.encode(errors="replace")


def _end_of(plain: bytes, delimiter: bytes, start: int) -> int:
    """Where the part that begins at `start` ends. Its declared length counts: attachments are binary."""
    headers_end = plain.find(b"\r\n\r\n", start, start + _MOST_HEADERS)
    if headers_end < 0:
        raise MultipartError("a part has no headers, or headers that do not end")
    for line in plain[start:headers_end].split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit() and len(value) < 20:
            end = headers_end + 4 + int(value)
            if plain.startswith(b"\r\n" + delimiter, end):
                return end
            break
    end = plain.find(b"\r\n" + delimiter, headers_end + 2)
    if end < 0:
        raise MultipartError("the last part does not end: the body is cut off")
    return end


def _part_of(raw: bytes) -> Part:
    head, _, data = raw.partition(b"\r\n\r\n")
    headers = Headers()
    for line in head.split(b"\r\n"):
        name, _, value = line.decode(errors="replace").partition(":")
        if name.strip():
            headers[name.strip()] = " ".join(value.split())
    found = headers.get_param("name", header="Content-Disposition")
    if not isinstance(found, str) or not found:
        raise MultipartError("a part has no name")
    return Part(found, headers.get_content_type(), data)


def _json_of(plain: bytes) -> Any:
    try:
        return decode(plain)
    except NotJsonError as error:
        raise MultipartError(f"it {error}") from error


def _add_run_part(runs: dict[tuple[str, str], dict[str, Any]], operation: str, name: str, value: Any) -> None:
    run_id, _, field = name.partition(".")
    if field and field not in _FIELDS:
        raise MultipartError(f"a run has no part {field[:50]!r}")
    if not field and not isinstance(value, dict):
        raise MultipartError("a run must be a JSON object")
    run = runs.setdefault((operation, run_id), {"id": run_id})
    run.update({field: value} if field else value)
