"""Loads a served model after checking that its weights are the ones that were approved."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmhub.ml.basemodel import base_folder, context_length, load_model, load_tokenizer
from slmhub.ml.files import sha256_of_weights
from slmhub.ml.methods import METHODS
from slmhub.ml.prompt_formats import PromptFormat, open_format
from slmhub.ml.prompt_formats.compact import NOTHING_STATIC
from slmhub.ml.prompt_formats.messages import PromptFormatError
from slmhub.ml.serving.catalogue import BadManifestError, ModelKind, ServedModel


class CorruptModelError(Exception):
    """The weights on disk are not the ones that the manifest names."""


@dataclass(frozen=True)
class LoadedModel:
    served: ServedModel
    model: Any
    prompt_format: PromptFormat
    context: int
    sha256: str


class LoadedModels:
    """The most recently used models, at most `most` of them in memory."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._loaded: OrderedDict[str, LoadedModel] = OrderedDict()

    def get(self, served: ServedModel) -> LoadedModel:
        """Raises CorruptModelError, BaseModelMissingError."""
        loaded = self._loaded.get(served.name)
        if loaded is None or loaded.served != served:
            loaded = self._loaded[served.name] = load(served)
        self._loaded.move_to_end(served.name)
        while len(self._loaded) > self._most:
            self._loaded.popitem(last=False)
        return loaded

    def names(self) -> list[str]:
        return list(self._loaded)


def load(served: ServedModel) -> LoadedModel:
    """A base, or what a training method made of one.

    Raises CorruptModelError, BaseModelMissingError or BadManifestError.
    """
    manifest = served.manifest
    if manifest.kind is ModelKind.BASE:
        base = base_folder(served.path)
        sha256 = _checked(base, manifest.sha256, served.name)
        model = load_model(base)
    else:
        base = base_folder(manifest.base or "")
        _checked(base, manifest.base_sha256, f"the base of {served.name}")
        sha256 = _checked(Path(served.path), manifest.sha256, served.name)
        model = METHODS[manifest.method].load(base, Path(served.path))
    model.eval()
    try:
        static = manifest.static_prompt or NOTHING_STATIC
        prompt_format = open_format(manifest.prompt_format, load_tokenizer(base), static)
    except PromptFormatError as error:
        raise BadManifestError(f"{served.name} cannot be served. {error}") from error
    return LoadedModel(served, model, prompt_format, context_length(model), sha256)


def _checked(folder: Path, expected: str | None, name: str) -> str:
    found = sha256_of_weights(folder)
    if expected and found != expected:
        raise CorruptModelError(f"The weights of {name} hash to {found[:12]}…, expected {expected[:12]}…")
    return found
