"""Generic skills as (prompt, completion) pairs: extract, look up, copy, call a tool, fill a form, label.

Each pair is made of random values, random keys and sentences put together from short clauses in random order,
so that the only way to be right is to read the prompt.
"""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from random import Random

from slmhub.ml.starter.values import COMMON_WORDS, KINDS, filler, word

Pair = tuple[str, str]
Skill = Callable[[Random, int], Pair]

JOINTS = (" ", " ", " ", ", ", ", ", ". ", ": ", "; ", " - ", "\n", " and ")
ENDS = ("", "", ".", "?", "!", "...", "\nthanks")
VERBS = ("get", "find", "book", "make", "send", "set", "list", "stop", "change", "cancel", "move", "add")
NUMERIC_KEYS = KINDS["count"].keys + KINDS["money"].keys


def compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def pick_values(random: Random, most: int) -> dict[str, str]:
    """Up to `most` kinds with a value each, in random order."""
    kinds = random.sample(list(KINDS), k=random.randint(1, min(most, len(KINDS))))
    return {kind: KINDS[kind].make(random) for kind in kinds}


def pick_key(random: Random, kind: str) -> str:
    return random.choice(KINDS[kind].keys) if random.random() < 0.9 else word(random)


def pick_keys(random: Random, kinds: list[str]) -> dict[str, str]:
    """One key for each kind, no two the same."""
    keys: dict[str, str] = {}
    for kind in kinds:
        key = pick_key(random, kind)
        while key in keys.values():
            key = f"{random.choice(KINDS[kind].keys)}_{word(random)[:4]}"
        keys[kind] = key
    return keys


def sentence(random: Random, values: dict[str, str]) -> str:
    """The values in clauses, shuffled, among words that mean nothing."""
    kinds = list(values)
    random.shuffle(kinds)
    # A value must also be found where nothing stands before it.
    text = filler(random, 1, 4) if random.random() < 0.5 else ""
    for kind in kinds:
        clause = random.choice(KINDS[kind].clauses).replace("{v}", values[kind])
        if random.random() < 0.15:
            clause = clause[0].upper() + clause[1:] if not clause.startswith(values[kind]) else clause
        between = filler(random, 1, 3) if text and random.random() < 0.6 else ""
        text += (random.choice(JOINTS) if text else "") + (f"{between} " if between else "") + clause
    if random.random() < 0.3:
        text += random.choice(JOINTS) + filler(random, 1, 4)
    return text.strip() + random.choice(ENDS)


def _as_argument(random: Random, key: str, value: str) -> str | int | float:
    if key in NUMERIC_KEYS and random.random() < 0.3:
        try:
            number = json.loads(value)
        except ValueError:
            return value
        return number if json.dumps(number) == value else value
    return value


def extract(random: Random, level: int) -> Pair:
    values = pick_values(random, level)
    asked = list(values)
    if random.random() < 0.35:
        asked = random.sample(asked, random.randint(1, len(asked)))
    random.shuffle(asked)
    keys = pick_keys(random, asked)
    wanted: dict[str, object] = {keys[kind]: _as_argument(random, keys[kind], values[kind]) for kind in asked}
    if level > 3 and random.random() < 0.1:
        absent = next(kind for kind in random.sample(list(KINDS), len(KINDS)) if kind not in values)
        wanted.setdefault(random.choice(KINDS[absent].keys), None)
    verb = random.choice(["extract", "find", "fields", "read", "get", "json", ""])
    ask = f"{verb} {random.choice([', ', ' ', ' | ', ',']).join(wanted)}".strip()
    return _around(random, ask, sentence(random, values)), compact(wanted)


def _around(random: Random, ask: str, text: str) -> str:
    """Instruction first or last, with or without role marks, as conversations come."""
    form = random.randrange(10)
    if form < 4:
        return f"{text}\n{ask}"
    if form == 4:
        return f"{ask}\nuser: {text}"
    if form == 5:
        return f"user: {ask}\nuser: {text}"
    return f"{ask}\n{text}"


def _record(random: Random, fields: int) -> dict[str, str]:
    record: dict[str, str] = {}
    while len(record) < fields:
        kind = random.choice(list(KINDS))
        key = random.choice(KINDS[kind].keys) if random.random() < 0.6 else word(random)
        record[key] = KINDS[kind].make(random)
    return record


def _written(random: Random, record: dict[str, str]) -> str:
    if random.random() < 0.3:
        return random.choice(["", "tool: ", "result "]) + compact(record)
    equals = random.choice([": ", "=", " is ", " = ", " - "])
    separator = random.choice(["; ", "\n", ", ", " | "])
    return separator.join(f"{key}{equals}{value}" for key, value in record.items())


def look_up(random: Random, level: int) -> Pair:
    record = _record(random, random.randint(1, level))
    asked = random.sample(list(record), random.randint((len(record) + 1) // 2, len(record)))
    prompt = (
        f"{random.choice(['get', 'look up', 'fields', 'read'])} {' '.join(asked)}\n{_written(random, record)}"
    )
    if random.random() < 0.7:
        return prompt, compact({key: record[key] for key in asked})
    return prompt, "; ".join(record[key] for key in asked)


def copy(random: Random, level: int) -> Pair:
    separator = random.choice(["; ", ", ", "\n", " | "])
    values = [KINDS[random.choice(list(KINDS))].make(random) for _ in range(random.randint(1, level))]
    if random.random() < 0.3:
        return f"list\n{separator.join(values)}", compact(values)
    return f"repeat\n{separator.join(values)}", separator.join(values)


def call_tool(random: Random, level: int) -> Pair:
    """One of some tools, named in the prompt, whose name the user's words spell."""
    verbs = random.sample(VERBS, 3)
    tools = {
        f"{verb}_{word(random)}": random.sample(list(KINDS), random.randint(1, min(level, 4)))
        for verb in verbs
    }
    chosen = random.choice(list(tools))
    keys = {name: pick_keys(random, kinds) for name, kinds in tools.items()}
    values = {kind: KINDS[kind].make(random) for kind in tools[chosen]}
    listed = " ".join(f"{name}({','.join(keys[name].values())})" for name in tools)
    text = f"{chosen.replace('_', ' ')} {sentence(random, values)}"
    if random.random() < 0.5:
        text = f"{filler(random, 1, 3)} {text}"
    arguments = {keys[chosen][kind]: value for kind, value in values.items()}
    return f"tools: {listed}\n{text}", compact({"tool": chosen, "args": arguments})


def fill(random: Random, level: int) -> Pair:
    record = _record(random, random.randint(1, level))
    words = filler(random, 1, 4).split()
    for key in random.sample(list(record), len(record)):
        words.insert(random.randint(0, len(words)), f"{{{key}}}")
    filled = " ".join(record[part[1:-1]] if part.startswith("{") else part for part in words)
    lines = "\n".join(f"{key}: {value}" for key, value in record.items())
    return f"fill: {' '.join(words)}\n{lines}", filled


def label(random: Random, level: int) -> Pair:
    """Which of the listed words stands in the text; the answer is the label listed beside it."""
    choices = random.randint(2, 2 + level // 2)
    cues = (
        random.sample(COMMON_WORDS[40:], choices)
        if random.random() < 0.5
        else [word(random) for _ in range(choices)]
    )
    labels = [word(random) for _ in cues]
    chosen = random.randrange(choices)
    text = " ".join(part for part in (filler(random, 0, 4), cues[chosen], filler(random, 0, 3)) if part)
    listed = " ".join(f"{cue}={name}" for cue, name in zip(cues, labels, strict=True))
    return f"label {listed}\n{text}", compact({"label": labels[chosen]})


def random_look_up(random: Random, level: int) -> Pair:
    """Look-up among random strings: the purest form of the skill, learnt first."""
    alphabet = string.ascii_letters + string.digits + "-_."

    def some(least: int, most: int) -> str:
        return "".join(random.choices(alphabet, k=random.randint(least, most)))

    record = {some(2, 4): some(3, 8 + 2 * level) for _ in range(random.randint(1, min(level + 1, 5)))}
    asked = random.sample(list(record), len(record))
    written = "".join(f"{key}={value};" for key, value in record.items())
    return f"{written}\n{' '.join(asked)}", "".join(f"{key}={record[key]};" for key in asked)


SKILLS: dict[str, Skill] = {
    "extract": extract,
    "look_up": look_up,
    "copy": copy,
    "call_tool": call_tool,
    "fill": fill,
    "label": label,
    "random_look_up": random_look_up,
}
MIXTURE: dict[str, float] = {
    "extract": 0.42,
    "look_up": 0.2,
    "copy": 0.08,
    "call_tool": 0.15,
    "fill": 0.06,
    "label": 0.05,
    "random_look_up": 0.04,
}


def draw(random: Random, level: int) -> Pair:
    """One pair of the mixture; `level` bounds the number of values."""
    name = random.choices(list(MIXTURE), list(MIXTURE.values()))[0]
    return SKILLS[name](random, level)
