from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of processes with an empty database of their own, of the kind that is tested."""
    environment = {**os.environ, "HUB_HOME": str(tmp_path / "home")}
    url = os.environ.get("DATABASE_URL")
    if not url:
        yield environment
        return
    import psycopg

    with psycopg.connect(url, autocommit=True) as server:
        server.execute("DROP DATABASE IF EXISTS slmhub_concurrent")
        server.execute("CREATE DATABASE slmhub_concurrent")
        yield {**environment, "DATABASE_URL": urlsplit(url)._replace(path="/slmhub_concurrent").geturl()}
        server.execute("DROP DATABASE slmhub_concurrent WITH (FORCE)")
