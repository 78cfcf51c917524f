from django.urls import path

from bots import views

app_name = "bots"
urlpatterns = [
    path("", views.catalogue, name="catalogue"),
    path("runtime/", views.runtime, name="runtime"),
    path("bots/<slug:slug>/", views.bot, name="bot"),
]
