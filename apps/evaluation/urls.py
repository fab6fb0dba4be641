from __future__ import annotations

from django.urls import path

from apps.evaluation import views

app_name = "evaluation"
urlpatterns = [
    path("", views.list_runs, name="list"),
    path("start/<int:pk>/", views.start_run, name="start"),
    path("<int:pk>/", views.show_run, name="detail"),
]
