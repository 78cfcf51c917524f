from django.urls import path

from exchanges import staff, views

app_name = "exchanges"

urlpatterns = [
    path("exchange-accounts/", views.accounts, name="accounts"),
    path("exchange-accounts/add/", views.add, name="add"),
    path("exchange-accounts/add/keys/", views.key_fields, name="key_fields"),
    path("exchange-accounts/<int:pk>/", views.account, name="account"),
    path("exchange-accounts/<int:pk>/state/", views.state, name="state"),
    path("exchange-accounts/<int:pk>/check/", views.check, name="check"),
    path("exchange-accounts/<int:pk>/keys/", views.replace_keys, name="replace_keys"),
    path("exchange-accounts/<int:pk>/label/", views.relabel, name="relabel"),
    path("exchange-accounts/<int:pk>/delete/", views.delete, name="delete"),
    path("staff/exchange-requests/", staff.requests, name="requests"),
]
