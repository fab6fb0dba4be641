"""Marks findings in text; everything around them is escaped."""

from __future__ import annotations

import re
from collections.abc import Iterable

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

from apps.privacy.models import Decision, Finding

register = template.Library()

_SURROGATE = re.compile(r"\[[A-Z][A-Z_]{1,40}_\d{1,10}\]")


@register.filter
def marked(text: str, findings: Iterable[Finding]) -> SafeString:
    """The text, escaped, with the surrogates of these findings as marks that lead to their decisions."""
    known = {found.surrogate.text: found for found in findings if found.decision != Decision.REJECTED}
    pieces, position = [], 0
    for match in _SURROGATE.finditer(text) if known else ():
        finding = known.get(match.group())
        if finding is not None:
            pieces += [escape(text[position : match.start()]), _mark(match.group(), finding)]
            position = match.end()
    pieces.append(escape(text[position:]))
    return mark_safe("".join(pieces))  # noqa: S308 - every piece was escaped above


def _mark(surrogate: str, finding: Finding) -> SafeString:
    return format_html(
        '<a class="finding-link" href="#finding-{}">'
        '<mark class="finding" data-decision="{}" data-entity="{}">{}</mark></a>',
        finding.pk,
        finding.decision,
        finding.entity,
        surrogate,
    )
