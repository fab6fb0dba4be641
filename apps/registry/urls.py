from __future__ import annotations

from django.urls import path

from apps.registry import views

app_name = "registry"
urlpatterns = [
    path("", views.list_models, name="list"),
    path("teacher/", views.edit_teacher, name="teacher"),
    path("<int:pk>/", views.show_model, name="detail"),
]
