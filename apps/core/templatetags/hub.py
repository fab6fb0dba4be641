"""Filters for figures and times, tags for addresses; loaded everywhere."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()

# What a template finds under a name that is not there is the empty string.
Missing = str | None
_STEPS = ((60, "s"), (60, "min"), (24, "h"), (365, "d"))


@register.filter
def ago(moment: datetime | Missing) -> SafeString | str:
    """`5 min ago` with the absolute time on hover."""
    if moment is None or isinstance(moment, str):
        return "—"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        moment.isoformat(),
        moment.strftime("%Y-%m-%d %H:%M:%S UTC"),
        _distance((timezone.now() - moment).total_seconds()),
    )


def _distance(seconds: float) -> str:
    if seconds < -1:
        return f"in {duration(-seconds)}"
    return "just now" if seconds < 5 else f"{_largest_unit(seconds)} ago"


def _largest_unit(seconds: float) -> str:
    amount = seconds
    for size, unit in _STEPS:
        if amount < size or unit == "d":
            return f"{int(amount)} {unit}"
        amount /= size
    return f"{int(amount)} d"


@register.filter
def duration(seconds: float | Missing) -> str:
    """`1 h 5 min`, `42 s`, `0.4 s`."""
    if seconds is None or isinstance(seconds, str):
        return "—"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest and minutes < 10 else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


@register.filter
def milliseconds(value: float | Missing) -> str:
    if value is None or isinstance(value, str):
        return "—"
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.2f} s"


@register.filter
def number(value: float | Missing) -> str:
    """Thousands apart: `5,401`."""
    return "—" if value is None or isinstance(value, str) else f"{value:,.0f}"


@register.filter
def percent(share: float | Missing, digits: int = 1) -> str:
    """A share of 1 as `97.5 %`."""
    return "—" if share is None or isinstance(share, str) else f"{share * 100:.{digits}f} %"


@register.filter
def figure(value: float | Missing, digits: int = 3) -> str:
    return "—" if value is None or isinstance(value, str) else f"{value:.{digits}f}"


@register.filter
def money(value: float | Missing) -> str:
    """US dollars; small sums keep their digits."""
    if value is None or isinstance(value, str):
        return "—"
    return f"${value:,.2f}" if value >= 1 else f"${value:.4f}"


@register.filter
def item(mapping: dict[Any, Any], key: Any) -> Any:
    return mapping.get(key)


@register.simple_tag(takes_context=True)
def workspace_url(context: dict[str, Any], route: str, *arguments: Any) -> str:
    """A page of the workspace that the request is about: `{% workspace_url 'jobs:list' %}`."""
    return str(context["request"].workspace.address(route, *arguments))


@register.simple_tag(takes_context=True)
def agent_url(context: dict[str, Any], route: str, *arguments: Any) -> str:
    """A page of the agent that the request is about: `{% agent_url 'datasets:build' task.pk %}`."""
    return str(context["request"].agent.address(route, *arguments))


@register.simple_tag(takes_context=True)
def live(
    context: dict[str, Any], *names: Any, on: str, at: str = "", unless: bool = False, **match: Any
) -> SafeString:
    """The attributes of a live part: `<div {% live "job" on="job.*" job=job.pk %}>`.

    It asks for itself again, here or `at` an address, at every event `on` whose data match; no longer so
    when nothing can change any more (`unless`).
    """
    part = "-".join(str(name) for name in names)
    if unless:
        return format_html('id="{}"', part)
    about = " ".join(f"{key}:{value}" for key, value in match.items() if value not in (None, ""))
    # An event for one part is none for the part around it, hence `consume`.
    return format_html(
        'id="{part}" data-live-on="{on}"{match} hx-get="{at}" hx-trigger="live consume" hx-select="#{part}"'
        ' hx-swap="outerHTML"',
        part=part,
        on=on,
        match=format_html(' data-live-match="{}"', about) if about else "",
        at=at or context["request"].get_full_path(),
    )


@register.simple_tag(takes_context=True)
def query(context: dict[str, Any], **changes: Any) -> str:
    """This page's query string with some values changed; `None` drops one."""
    values = context["request"].GET.copy()
    for key, value in changes.items():
        values.pop(key, None)
        if value not in (None, ""):
            values[key] = value
    return f"?{values.urlencode()}" if values else "?"
