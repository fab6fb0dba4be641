"""What a recogniser is: many texts in, their findings out, and a version that tells what it would find."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from slmhub.redaction.findings import Entity, Finding


class Text(Protocol):
    """A text, and the JSON key that it stands under: a cue, empty where there is none."""

    @property
    def text(self) -> str: ...

    @property
    def key(self) -> str: ...


class PlainText(NamedTuple):
    """A text that stands in no payload."""

    text: str
    key: str = ""


class Target(NamedTuple):
    """What one detector of a recogniser looks for."""

    detector: str
    entity: Entity


class Recogniser(Protocol):
    """One way of finding sensitive values. It holds no state that a text could leave behind."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str:
        """Another one as soon as the same texts could have other findings."""
        ...

    @property
    def targets(self) -> Sequence[Target]:
        """Its findings name one of these detectors; no other recogniser has a detector of the same name."""
        ...

    def find(self, texts: Sequence[Text]) -> list[Sequence[Finding]]:
        """The findings of each text, in order and without overlap.

        It is asked once for all texts of a batch, so that whatever costs the same for one text as for a
        thousand (a model's forward pass) is paid once.
        """
        ...
