"""Plotly figures of tasks, as plain data: static/js/charts.js adds colours and fonts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from html import escape
from statistics import median
from typing import Any

from django.db.models import Count, F, Max, Min
from django.db.models.functions import Mod, TruncDay, TruncHour

from apps.accounts.models import Agent
from apps.discovery.models import Assignment, Task
from apps.traces.models import SpanQuerySet

MOST_POINTS = 5000
COLOURED, LABELLED = 16, 12
LABEL_LENGTH = 32
SYMBOLS = ("circle", "diamond")
ASK_LENGTH = 90
Link = Callable[[int], str]


def map_figure(agent: Agent, roots: dict[int, Task], link: Link) -> dict[str, Any]:
    """Every call's place, coloured by task; `roots` maps a task to the one that it is shown as."""
    rows, total = _points(agent)
    grouped: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["task_id"] in roots:
            grouped[roots[row["task_id"]].pk].append(row)
    shown = {task.pk: task for task in roots.values()}
    order = sorted(grouped, key=lambda pk: -len(grouped[pk]))
    traces = [
        _trace(shown[pk], grouped[pk], link, rank if rank < COLOURED else None)
        for rank, pk in enumerate(order)
    ]
    hidden = {"visible": False, "fixedrange": False}
    layout = {
        "xaxis": hidden,
        "yaxis": {**hidden, "scaleanchor": "x"},
        "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
        "showlegend": False,
        "annotations": [_label(shown[pk], grouped[pk]) for pk in order[:LABELLED]],
    }
    return {"figure": {"data": traces, "layout": layout}, "shown": len(rows), "total": total}


def _points(agent: Agent) -> tuple[list[dict[str, Any]], int]:
    placed = Assignment.objects.filter(task__agent=agent, x__isnull=False)
    total = placed.count()
    if total > MOST_POINTS:
        placed = placed.annotate(turn=Mod(F("pk") * MOST_POINTS, total)).filter(turn__lt=MOST_POINTS)
    rows = placed.values("x", "y", "task_id", "span_id", "span__input_preview")[:MOST_POINTS]
    return [dict(row) for row in rows], total


def _trace(task: Task, rows: Sequence[dict[str, Any]], link: Link, rank: int | None) -> dict[str, Any]:
    name = escape(str(task))
    colour = f"--chart-{rank % 8 + 1}" if rank is not None else "--line-strong"
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [row["x"] for row in rows],
        "y": [row["y"] for row in rows],
        "text": [f"<b>{name}</b><br>{escape(row['span__input_preview'][:ASK_LENGTH])}" for row in rows],
        "hovertemplate": "%{text}<extra></extra>",
        "customdata": [link(row["span_id"]) for row in rows],
        "marker": {"size": 5, "opacity": 0.75, "color": colour, "symbol": SYMBOLS[(rank or 0) // 8 % 2]},
    }


def _label(task: Task, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The task's name over the middle of its calls."""
    name = str(task)
    short = name if len(name) <= LABEL_LENGTH else f"{name[: LABEL_LENGTH - 1]}…"
    return {
        "text": escape(short),
        "x": median(row["x"] for row in rows),
        "y": median(row["y"] for row in rows),
        "showarrow": False,
        "bgcolor": "--surface",
        "opacity": 0.9,
        "font": {"size": 11},
    }


def volume_figure(calls: SpanQuerySet) -> dict[str, Any]:
    """Calls a day, or an hour when they span less than three days."""
    ends = calls.aggregate(first=Min("started_at"), last=Max("started_at"))
    if ends["first"] is None:
        return {}
    short = ends["last"] - ends["first"] < timedelta(days=3)
    bucket = TruncHour("started_at") if short else TruncDay("started_at")
    rows = calls.annotate(bucket=bucket).values("bucket").annotate(calls=Count("pk")).order_by("bucket")
    bars = {
        "type": "bar",
        "x": [row["bucket"].isoformat() for row in rows],
        "y": [row["calls"] for row in rows],
        "hovertemplate": "%{x}: %{y} calls<extra></extra>",
    }
    layout = {"bargap": 0.2, "yaxis": {"title": {"text": f"calls a {'hour' if short else 'day'}"}}}
    return {"data": [bars], "layout": layout}
