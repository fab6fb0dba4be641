from __future__ import annotations

from django.urls import path

from apps.traces import views

app_name = "traces"
urlpatterns = [
    path("", views.list_, name="list"),
    path("calls/<int:pk>/", views.call, name="call"),
    path("spans/<int:pk>/trace/", views.trace, name="trace"),
    path("sessions/<int:pk>/", views.session, name="session"),
]
