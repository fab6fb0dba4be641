"""Calls to examples: prune, render, dedupe, split, cap. Pure: no rows are written here."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import orjson

from apps.datasets.candidates import Candidate, Reason
from apps.datasets.columns import Counts, Parameters
from apps.datasets.models import Split
from apps.datasets.splits import share_of, split_of
from slmhub.ml.prompt_formats import COMPACT
from slmhub.ml.prompt_formats.compact import NOTHING_STATIC, StaticPrompt, render_answer, render_prompt

MAJORITY = 0.5
SPLITS = (Split.TRAIN, Split.VALIDATION, Split.TEST)


@dataclass(frozen=True)
class Draft:
    """An example before it is stored."""

    candidate: Candidate
    prompt: str
    completion: str
    split: Split

    def canonical(self) -> bytes:
        value = {
            "split": self.split.value,
            "session": self.candidate.session,
            "messages": self.candidate.messages,
            "tools": self.candidate.tools,
            "expected": self.candidate.output,
            "prompt": self.prompt,
            "completion": self.completion,
        }
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def static_prompt_of(candidates: Sequence[Candidate], prompt_format: str = COMPACT) -> StaticPrompt:
    """What the calls of the commonest standing prompt share, or all of them when none holds half.

    Only the compact format leaves anything out.
    """
    if prompt_format != COMPACT:
        return NOTHING_STATIC
    templates = Counter(candidate.template for candidate in candidates)
    template, size = templates.most_common(1)[0]
    if size >= MAJORITY * len(candidates):
        candidates = [candidate for candidate in candidates if candidate.template == template]
    return StaticPrompt.of((candidate.messages, candidate.tools) for candidate in candidates)


def rows_of(
    candidates: Sequence[Candidate], static: StaticPrompt, parameters: Parameters, left_out: Counter[str]
) -> list[Draft]:
    """Examples by split, then in order of time; no prompt stands twice."""
    toolset = _toolset(candidates) if static.toolset else None
    rows = []
    for candidate in candidates:
        if toolset is not None and candidate.template[1] != toolset:
            left_out[Reason.OTHER_TOOLS] += 1
            continue
        row = _row(candidate, static, parameters)
        if len(row.prompt) + len(row.completion) > parameters.longest:
            left_out[Reason.TOO_LONG] += 1
        else:
            rows.append(row)
    return _capped(_one_answer_each(rows, left_out), parameters, left_out)


def _toolset(candidates: Iterable[Candidate]) -> int | None:
    return Counter(candidate.template[1] for candidate in candidates).most_common(1)[0][0]


def _row(candidate: Candidate, static: StaticPrompt, parameters: Parameters) -> Draft:
    return Draft(
        candidate,
        prompt=render_prompt(candidate.messages, candidate.tools, static),
        completion=render_answer(candidate.output),
        split=split_of(candidate.session, parameters),
    )


def _one_answer_each(rows: Sequence[Draft], left_out: Counter[str]) -> list[Draft]:
    """The first row of each prompt with its commonest answer; others are duplicates or conflicts."""
    answers: dict[str, Counter[str]] = {}
    for row in rows:
        answers.setdefault(row.prompt, Counter())[row.completion] += 1
    kept: dict[str, Draft] = {}
    for row in rows:
        if row.completion != answers[row.prompt].most_common(1)[0][0]:
            left_out[Reason.CONFLICT] += 1
        elif row.prompt in kept:
            left_out[Reason.DUPLICATE] += 1
        else:
            kept[row.prompt] = row
    return list(kept.values())


def _capped(rows: Sequence[Draft], parameters: Parameters, left_out: Counter[str]) -> list[Draft]:
    """At most so many of each split, drawn by a hash of the prompt; the order of time stays."""
    kept: list[Draft] = []
    for split in SPLITS:
        mine = [row for row in rows if row.split == split]
        most = parameters.most(split)
        if len(mine) > most:
            left_out[Reason.OVER_CAP] += len(mine) - most
            drawn = sorted(mine, key=lambda row: share_of(row.prompt, parameters.seed))[:most]
            chosen = {id(row) for row in drawn}
            mine = [row for row in mine if id(row) in chosen]
        kept.extend(mine)
    return kept


def digest_of(rows: Iterable[Draft], static: StaticPrompt, prompt_format: str = COMPACT) -> str:
    """SHA-256 over the static prompt and the canonical examples in order."""
    digest = hashlib.sha256(orjson.dumps(static.to_json(), option=orjson.OPT_SORT_KEYS))
    if prompt_format != COMPACT:
        digest.update(b"\n" + prompt_format.encode())
    for row in rows:
        digest.update(b"\n" + row.canonical())
    return digest.hexdigest()


def counts_of(rows: Sequence[Draft], static: StaticPrompt, left_out: Counter[str]) -> Counts:
    by_split = Counter(row.split for row in rows)
    own = sum(1 for row in rows if static.messages and _is_own(row.candidate, static))
    return Counts(
        train=by_split[Split.TRAIN],
        validation=by_split[Split.VALIDATION],
        test=by_split[Split.TEST],
        sessions=len({row.candidate.session for row in rows}),
        other_prompts=own,
        tools=len(rows[0].candidate.tools) if rows else 0,
        longest=max((len(row.prompt) + len(row.completion) for row in rows), default=0),
        calls=len(rows) + left_out.total(),
    )


def _is_own(candidate: Candidate, static: StaticPrompt) -> bool:
    """Whether a call has another standing prompt than the pruned one, and is therefore shown in full."""
    texts = [message.get("content") for message in candidate.messages[: len(static.messages)]]
    return texts != [message.text for message in static.messages]
