"""Where a run keeps what it reads and writes: the one place that names it, for trainer and hub alike."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from slmhub.files import write_atomically
from slmhub.ml.files import sha256_of_file
from slmhub.ml.training.records import Manifest, read_record


class RunFolder:
    """A folder on this machine. What is written here is whole or not there at all, also after a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.spec = path / "spec.json"
        self.plan = path / "plan.json"
        self.progress = path / "progress.jsonl"
        self.checkpoints = path / "checkpoints"
        self.weights = path / "weights"
        self.manifest = path / "manifest.json"
        self.stderr = path / "stderr.log"
        self.lock = path / "lock"

    def examples(self, split: str) -> Path:
        return self.path / f"{split}.jsonl"

    def write_json(self, path: Path, value: Any) -> None:
        write_atomically(path, json.dumps(value, sort_keys=True))

    def replace_weights(self, save: Callable[[Path], None]) -> dict[str, str]:
        """Has `save` fill an empty folder that becomes `weights`; its files with their hashes."""
        temporary = self.weights.with_name(self.weights.name + ".tmp")
        for folder in (temporary, self.weights):
            shutil.rmtree(folder, ignore_errors=True)
        temporary.mkdir(parents=True)
        save(temporary)
        temporary.rename(self.weights)
        files = sorted(path for path in self.weights.rglob("*") if path.is_file())
        return {str(path.relative_to(self.path)): sha256_of_file(path) for path in files}

    def write_manifest(self, manifest: Manifest) -> None:
        text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
        write_atomically(self.manifest, text.decode() + "\n")

    def read_manifest(self) -> Manifest:
        """Raises OSError or ValueError where there is none that is whole."""
        return read_record(self.manifest.read_bytes(), Manifest)

    def damaged_files(self, manifest: Manifest) -> list[str]:
        """The files of the manifest that are not what their hash says. Raises OSError for a missing one."""
        return [name for name, digest in manifest.files.items() if sha256_of_file(self.path / name) != digest]
