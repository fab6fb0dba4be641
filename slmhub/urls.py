from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from apps.core.health import healthz, readyz

AGENT = "w/<slug:workspace>/<slug:agent>/"

urlpatterns = [
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("accounts/", include("allauth.account.urls")),
    path(
        "api/v1/schema",
        SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]),
        name="schema",
    ),
    path("api/v1/", include("apps.uploads.api_urls")),
    path("api/v1/", include("apps.intake.api_urls")),
    path("api/v1/", include("apps.sources.api_urls")),
    path("", include("apps.team.urls")),
    path("", include("apps.events.urls")),
    path("", include("apps.jobs.urls")),
    path("", include("apps.prices.urls")),
    path("", include("apps.privacy.urls")),
    path(AGENT + "traces/", include("apps.traces.urls")),
    path(AGENT + "traces/", include("apps.uploads.urls")),
    path(AGENT + "sources/", include("apps.sources.urls")),
    path(AGENT + "tasks/", include("apps.discovery.urls")),
    path(AGENT + "datasets/", include("apps.datasets.urls")),
    path(AGENT + "models/", include("apps.registry.urls")),
    path(AGENT + "training/", include("apps.training.urls")),
    path(AGENT + "evaluations/", include("apps.evaluation.urls")),
    path(AGENT + "rollouts/", include("apps.rollouts.urls")),
    path(AGENT + "gateway/", include("apps.gateway.urls")),
    path("", include("apps.insights.urls")),
]

handler403 = "apps.core.error_pages.forbidden"
handler404 = "apps.core.error_pages.not_found"
handler500 = "apps.core.error_pages.server_error"
