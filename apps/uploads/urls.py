from __future__ import annotations

from django.urls import path

from apps.uploads import review_views, views

app_name = "uploads"
urlpatterns = [
    path("upload/", views.upload, name="upload"),
    path("uploads/tus/", views.tus, name="tus"),
    path("uploads/tus/<slug:token>/", views.tus_upload, name="tus_upload"),
    path("uploads/review/<slug:delivery>/", review_views.review, name="review"),
    path("uploads/review/<slug:delivery>/start/", review_views.start, name="start"),
    path("uploads/<int:pk>/discard/", views.discard, name="discard"),
    path("uploads/<int:pk>/", views.detail, name="detail"),
    path("uploads/<int:pk>/rejects/", views.rejects, name="rejects"),
]
