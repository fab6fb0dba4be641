from __future__ import annotations

from django.urls import path

from apps.privacy import views

app_name = "privacy"
urlpatterns = [
    path("w/<slug:workspace>/privacy/", views.findings, name="findings"),
    path("w/<slug:workspace>/privacy/decide/", views.decide_many, name="decide_many"),
    path("w/<slug:workspace>/privacy/<int:pk>/decide/", views.decide, name="decide"),
    path("w/<slug:workspace>/privacy/<int:pk>/reveal/", views.reveal, name="reveal"),
]
