import logging

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)


@require_safe
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Answer 200 when the database and Redis answer, else 503; what failed goes to the log only."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        cache.get("healthz")
    except (DatabaseError, RedisError):
        logger.exception("A health check failed")
        return HttpResponse("unavailable", content_type="text/plain", status=503)
    return HttpResponse("ok", content_type="text/plain")


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """Lead browsers that ask by habit, as on the admin's pages, to our icon."""
    return redirect(static("img/logo.svg"))


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """What the site is as an app on a phone or a desktop."""
    png = {"type": "image/png"}
    facts = {
        "id": "/",
        "name": "Bot Marketplace",
        "short_name": "Bots",
        "description": "Trading bots that run confined, and what they do with your money.",
        "start_url": reverse("execution:dashboard"),
        "scope": "/",
        "display": "standalone",
        "background_color": "#f6f8fb",
        "theme_color": "#1457c4",
        "icons": [
            {"src": static("img/icon-192.png"), "sizes": "192x192", **png},
            {"src": static("img/icon-512.png"), "sizes": "512x512", **png},
            {
                "src": static("img/icon-maskable-512.png"),
                "sizes": "512x512",
                "purpose": "maskable",
                **png,
            },
            {"src": static("img/logo.svg"), "sizes": "any", "type": "image/svg+xml"},
        ],
    }
    return JsonResponse(facts, content_type="application/manifest+json")


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """The worker in the browser, from the root, so that it may serve every page."""
    return render(request, "service_worker.js", content_type="text/javascript")


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    return render(request, "offline.html")
