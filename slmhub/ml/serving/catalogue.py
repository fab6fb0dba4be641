"""Which models may be served: one folder with a manifest per served name. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec

from slmhub.files import write_atomically
from slmhub.ml.methods import DEFAULT, METHODS
from slmhub.ml.prompt_formats import COMPACT, FORMATS
from slmhub.ml.prompt_formats.compact import StaticPrompt

SERVED_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,199}")
MANIFEST = "manifest.json"


class ModelKind(StrEnum):
    SPECIALIST = "specialist"
    BASE = "base"


class ServedManifest(msgspec.Struct, frozen=True, kw_only=True):
    """What stands in a served model's folder: where its weights are, what they hash to, how it is asked.

    Manifests from before there were methods and formats name none.
    """

    kind: ModelKind
    path: str
    base: str | None = None
    sha256: str | None = None
    base_sha256: str | None = None
    method: str = DEFAULT
    prompt_format: str = COMPACT
    static_prompt: StaticPrompt | None = None


@dataclass(frozen=True)
class ServedModel:
    """A manifest under the name of its folder; `path` is its own, resolved."""

    name: str
    manifest: ServedManifest
    path: str
    created: int = 0


class UnknownModelError(Exception):
    """No model of this name is served."""


class BadManifestError(Exception):
    """The manifest of a served model cannot be read."""


class Catalogue:
    """Reads the folder anew for each request, so that a model may come or go while the server runs."""

    def __init__(self, folder: Path, bases: Mapping[str, str]) -> None:
        self._folder = folder
        self._bases = {
            name: ServedModel(name, ServedManifest(kind=ModelKind.BASE, path=path), path)
            for name, path in bases.items()
        }
        self._read: dict[str, tuple[int, ServedModel]] = {}

    def find(self, name: str) -> ServedModel:
        """Raises UnknownModelError, BadManifestError."""
        if name in self._bases:
            return self._bases[name]
        if not SERVED_NAME.fullmatch(name):
            raise UnknownModelError(name)
        path = self._folder / name / MANIFEST
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            raise UnknownModelError(name) from None
        known = self._read.get(name)
        if known is None or known[0] != changed:
            known = self._read[name] = (changed, read_manifest(name, path))
        return known[1]

    def all(self) -> list[ServedModel]:
        """Every model whose manifest can be read, by name."""
        models = dict(self._bases)
        for path in sorted(self._folder.glob(f"*/{MANIFEST}")):
            try:
                models[path.parent.name] = self.find(path.parent.name)
            except (UnknownModelError, BadManifestError):
                continue
        return [models[name] for name in sorted(models)]


def publish(models: Path, name: str, manifest: ServedManifest) -> None:
    """Offers a model: the server that reads `models` sees it on its next request."""
    write_atomically(models / name / MANIFEST, msgspec.json.encode(manifest).decode())


def read_manifest(name: str, path: Path) -> ServedModel:
    """Raises BadManifestError."""
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=ServedManifest)
        created = int(path.stat().st_mtime)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise BadManifestError(f"The manifest of {name} cannot be read: {error!r}") from error
    if manifest.kind is ModelKind.SPECIALIST and not (manifest.base and manifest.sha256):
        raise BadManifestError(f"The manifest of {name} lacks base or sha256.")
    if manifest.prompt_format not in FORMATS:
        raise BadManifestError(f"The manifest of {name} names an unknown prompt format.")
    if manifest.method not in METHODS:
        raise BadManifestError(f"The manifest of {name} names an unknown training method.")
    resolved = _resolved(path.parent, manifest.path, manifest.kind)
    return ServedModel(name, manifest, str(resolved), created)


def _resolved(folder: Path, path: str, kind: ModelKind) -> Path | str:
    """A specialist's path, and a base's that begins with a dot, count from the manifest's folder."""
    if kind is ModelKind.SPECIALIST or path.startswith("."):
        return folder / path
    return path
