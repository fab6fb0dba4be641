from __future__ import annotations

from django.db import migrations

# External content: the index holds no second copy of the text. Triggers keep it true for every writer; a later
# migration that remakes the table on SQLite has to make them again (tests/contents/test_search.py notices).
SQLITE = [
    """CREATE VIRTUAL TABLE contents_search USING fts5(
        text, content='contents_content', content_rowid='id', tokenize='unicode61')""",
    """CREATE TRIGGER contents_search_added AFTER INSERT ON contents_content WHEN new.kind = 'message' BEGIN
        INSERT INTO contents_search(rowid, text) VALUES (new.id, new.text); END""",
    """CREATE TRIGGER contents_search_removed AFTER DELETE ON contents_content WHEN old.kind = 'message' BEGIN
        INSERT INTO contents_search(contents_search, rowid, text) VALUES ('delete', old.id, old.text); END""",
    """CREATE TRIGGER contents_search_changed AFTER UPDATE OF text ON contents_content
        WHEN new.kind = 'message' BEGIN
        INSERT INTO contents_search(contents_search, rowid, text) VALUES ('delete', old.id, old.text);
        INSERT INTO contents_search(rowid, text) VALUES (new.id, new.text); END""",
]
SQLITE_UNDO = [
    "DROP TRIGGER contents_search_added",
    "DROP TRIGGER contents_search_removed",
    "DROP TRIGGER contents_search_changed",
    "DROP TABLE contents_search",
]
# 100,000 characters stay below the megabyte that a tsvector may have; the words are split as FTS5 splits them.
POSTGRESQL = [
    """CREATE INDEX contents_search ON contents_content USING gin (
        to_tsvector('simple', regexp_replace(left(text, 100000), '[^[:alnum:]]+', ' ', 'g')))
        WHERE kind = 'message'""",
]
POSTGRESQL_UNDO = ["DROP INDEX contents_search"]


def build(apps, editor):
    _run(editor, SQLITE if editor.connection.vendor == "sqlite" else POSTGRESQL)


def undo(apps, editor):
    _run(editor, SQLITE_UNDO if editor.connection.vendor == "sqlite" else POSTGRESQL_UNDO)


def _run(editor, statements):
    for statement in statements:
        editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("contents", "0001_initial")]
    operations = [migrations.RunPython(build, undo)]
