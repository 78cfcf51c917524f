from django.urls import path

from accounts import notification_views as views

app_name = "accounts"

urlpatterns = [
    path("notifications/", views.notifications, name="notifications"),
    path("notifications/events/", views.set_events, name="set_events"),
    path("notifications/times/", views.set_times, name="set_times"),
    path("notifications/add/<slug:kind>/", views.add, name="add_channel"),
    path("notifications/<int:pk>/", views.channel, name="channel"),
    path("notifications/<int:pk>/test/", views.try_out, name="try_out"),
    path("notifications/<int:pk>/remove/", views.remove, name="remove_channel"),
]
