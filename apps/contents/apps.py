from __future__ import annotations

from django.apps import AppConfig


class ContentsConfig(AppConfig):
    name = "apps.contents"
