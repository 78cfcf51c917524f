from django.urls import include, path

from bots import file_views, views

app_name = "bots"
urlpatterns = [
    path("", views.catalogue, name="catalogue"),
    path("compare/", views.compare, name="compare"),
    path("runtime/", views.runtime, name="runtime"),
    path("bots/<slug:slug>/", views.bot, name="bot"),
    path("files/<str:token>", file_views.stored_file, name="stored_file"),
    path("developers/by/<str:username>/", views.developer, name="developer"),
    path("developers/", include("bots.developer_urls")),
]
