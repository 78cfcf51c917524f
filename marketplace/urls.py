from django.contrib import admin
from django.urls import include, path

from marketplace import views

urlpatterns = [
    path("", include("bots.urls")),
    path("api/", include("marketplace.api.urls")),  # soon, as programs ask the most
    path("", include("subscriptions.urls")),
    path("", include("execution.urls")),
    path("", include("exchanges.urls")),
    path("accounts/", include("accounts.urls")),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/second-factor/", include("allauth.mfa.urls")),
    path("admin/", admin.site.urls),
    path("favicon.ico", views.favicon, name="favicon"),
    path("manifest.webmanifest", views.manifest, name="manifest"),
    path("service-worker.js", views.service_worker, name="service_worker"),
    path("offline/", views.offline, name="offline"),
    path("healthz", views.healthz, name="healthz"),
]

# the pages' own, and JSON for what asks the API
handler400 = "marketplace.api.errors.bad_request"
handler403 = "marketplace.api.errors.not_allowed"
handler404 = "marketplace.api.errors.not_found"
handler500 = "marketplace.api.errors.failed"
