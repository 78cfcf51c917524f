from django.urls import path

from bots.converters import VERSION_OF_BOT
from subscriptions import views

app_name = "subscriptions"

urlpatterns = [
    path("bots/<slug:slug>/subscribe/", views.subscribe, name="subscribe"),
    path(f"developers/bots/{VERSION_OF_BOT}form/", views.form_of_version, name="form_of_version"),
    path("subscriptions/pairs/", views.pairs, name="pairs"),
    path("subscriptions/<int:pk>/version/", views.move, name="move"),
    path("subscriptions/<int:pk>/settings/", views.change, name="change"),
    path("subscriptions/<int:pk>/pause/", views.pause, name="pause"),
    path("subscriptions/<int:pk>/resume/", views.resume, name="resume"),
    path("subscriptions/<int:pk>/stop/", views.stop, name="stop"),
]
