from __future__ import annotations

from django.urls import path

from apps.training import views

app_name = "training"
urlpatterns = [
    path("", views.list_runs, name="list"),
    path("new/<int:pk>/", views.new_run, name="new"),
    path("<int:pk>/", views.show_run, name="detail"),
]
