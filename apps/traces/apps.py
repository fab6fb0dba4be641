from __future__ import annotations

from django.apps import AppConfig


class TracesConfig(AppConfig):
    name = "apps.traces"

    def ready(self) -> None:
        from apps.prices.jobs import stores_costs
        from apps.traces.costs import recompute

        stores_costs(recompute)
