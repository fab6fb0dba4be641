"""The recognisers that look at every text, as one: their findings merged, their versions in one version."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from slmhub.redaction.findings import Finding, Surrogate, merge, replace
from slmhub.redaction.recognisers.patterns.recogniser import Patterns
from slmhub.redaction.recognisers.recogniser import PlainText, Recogniser, Target, Text


class RecogniserSet:
    """`version` is another one as soon as one of the recognisers is, or one comes or goes."""

    def __init__(self, recognisers: Sequence[Recogniser]) -> None:
        self._recognisers = tuple(recognisers)
        self.targets: list[Target] = []
        self._found_by: dict[str, str] = {}
        for recogniser in self._recognisers:
            label = f"{recogniser.name}-{recogniser.version}"
            for target in recogniser.targets:
                if target.detector in self._found_by:
                    raise ValueError(f"two detectors are called {target.detector}")
                self.targets.append(target)
                self._found_by[target.detector] = label
        labels = sorted(f"{recogniser.name}-{recogniser.version}" for recogniser in self._recognisers)
        self.version = sha256("\n".join(labels).encode()).hexdigest()[:12]

    def find(self, texts: Sequence[Text]) -> list[Sequence[Finding]]:
        """The findings of each text, in order and without overlap."""
        if len(self._recognisers) == 1:
            return self._recognisers[0].find(texts)
        found = [recogniser.find(texts) for recogniser in self._recognisers]
        return [merge(one for findings in each for one in findings) for each in zip(*found, strict=True)]

    def found_by(self, detector: str) -> str:
        """Name and version of the recogniser that this detector belongs to."""
        return self._found_by[detector]


RECOGNISERS = RecogniserSet([Patterns()])


def detect(text: str, *, key: str = "") -> list[Finding]:
    """The findings of one text. `key` is the JSON key that it stands under: a cue."""
    return list(RECOGNISERS.find([PlainText(text, key)])[0])


def redact(text: str, surrogate: Surrogate) -> str:
    """The text with every finding replaced by `surrogate(entity, value)`."""
    return replace(text, detect(text), surrogate)
