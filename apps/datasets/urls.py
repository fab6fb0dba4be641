from __future__ import annotations

from django.urls import path

from apps.datasets import views

app_name = "datasets"

urlpatterns = [
    path("", views.list_datasets, name="list"),
    path("build/<int:task>/", views.build, name="build"),
    path("<int:pk>/", views.show_dataset, name="detail"),
    path("<int:pk>/<slug:split>.jsonl", views.download, name="download"),
]
