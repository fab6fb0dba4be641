"""Full-text search over redacted messages: FTS5 on SQLite, a GIN index on PostgreSQL."""

from __future__ import annotations

import re

from django.db import connection

from apps.accounts.models import Workspace

MOST_HITS = 2000
_LONGEST_QUERY = 500
_WORD = re.compile(r"[^\W_]+")

_SQLITE = """
SELECT content.id FROM contents_search JOIN contents_content AS content ON content.id = contents_search.rowid
WHERE contents_search MATCH %s AND content.workspace_id = %s ORDER BY contents_search.rowid DESC LIMIT %s
"""
# The same expression as in the index, or PostgreSQL would not use it (migration 0002).
POSTGRESQL_WORDS = "to_tsvector('simple', regexp_replace(left(text, 100000), '[^[:alnum:]]+', ' ', 'g'))"
_POSTGRESQL = f"""
SELECT id FROM contents_content
WHERE kind = 'message' AND {POSTGRESQL_WORDS} @@ to_tsquery('simple', %s) AND workspace_id = %s
ORDER BY id DESC LIMIT %s
"""  # noqa: S608 - only constants are put together


def matching(workspace: Workspace, query: str) -> list[int]:
    """Ids of the messages that hold all words of the query, newest first, at most `MOST_HITS`.

    Any text is a query: words joined by other signs than blanks must stand side by side ("A-1"), the last
    word may be the beginning of one. A query without a letter or digit matches nothing.
    """
    phrases = _phrases(query)
    if not phrases:
        return []
    on_sqlite = connection.vendor == "sqlite"
    expression = _fts5(phrases) if on_sqlite else _tsquery(phrases)
    with connection.cursor() as cursor:
        cursor.execute(_SQLITE if on_sqlite else _POSTGRESQL, [expression, workspace.pk, MOST_HITS])
        return [row[0] for row in cursor.fetchall()]


def _phrases(query: str) -> list[list[str]]:
    found = [_WORD.findall(chunk) for chunk in query[:_LONGEST_QUERY].split()]
    return [words for words in found if words]


def _fts5(phrases: list[list[str]]) -> str:
    # Inside double quotes FTS5 reads no operators, and a word holds no quotes.
    return " AND ".join(f'"{" ".join(words)}"' for words in phrases) + "*"


def _tsquery(phrases: list[list[str]]) -> str:
    return " & ".join("(" + " <-> ".join(f"'{word}'" for word in words) + ")" for words in phrases[:-1]) + (
        (" & " if phrases[:-1] else "") + " <-> ".join(f"'{word}'" for word in phrases[-1]) + ":*"
    )
