from __future__ import annotations

from django.urls import path

from apps.rollouts import views

app_name = "rollouts"
urlpatterns = [
    path("", views.list_, name="list"),
    path("request/<int:evaluation_pk>/", views.request_, name="request"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/approve/", views.approve, name="approve"),
    path("<int:pk>/reject/", views.reject, name="reject"),
    path("<int:pk>/withdraw/", views.withdraw, name="withdraw"),
    path("<int:pk>/roll-back/", views.roll_back, name="roll_back"),
]
