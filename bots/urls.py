from django.urls import path

from bots import views

app_name = "bots"
urlpatterns = [
    path("", views.catalogue, name="catalogue"),
    path("bots/<slug:slug>/", views.bot, name="bot"),
]
