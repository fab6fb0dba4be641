from __future__ import annotations

from django.urls import path

from apps.discovery import views

app_name = "discovery"

urlpatterns = [
    path("", views.list_tasks, name="list"),
    path("map/", views.show_map, name="map"),
    path("discover/", views.start, name="start"),
    path("merge/", views.merge, name="merge"),
    path("<int:pk>/", views.show_task, name="detail"),
    path("<int:pk>/rename/", views.rename, name="rename"),
    path("<int:pk>/accept/", views.accept, name="accept"),
    path("<int:pk>/ignore/", views.ignore, name="ignore"),
    path("<int:pk>/reopen/", views.reopen, name="reopen"),
    path("<int:pk>/unmerge/", views.unmerge, name="unmerge"),
]
