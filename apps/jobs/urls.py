from __future__ import annotations

from django.urls import path

from apps.jobs import views

app_name = "jobs"
JOBS = "w/<slug:workspace>/jobs/"
urlpatterns = [
    path(JOBS, views.list_jobs, name="list"),
    path(JOBS + "<int:pk>/", views.show_job, name="detail"),
    path(JOBS + "<int:pk>/progress/", views.progress, name="progress"),
    path(JOBS + "<int:pk>/cancel/", views.cancel, name="cancel"),
    path(JOBS + "<int:pk>/retry/", views.retry, name="retry"),
]
