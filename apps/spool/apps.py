from __future__ import annotations

from django.apps import AppConfig


class SpoolConfig(AppConfig):
    name = "apps.spool"
