"""The product's own WSGI application with one page more: an empty template behind the whole middleware.

`PAGES_KEPT=no` has nothing kept for a time. What follows from the rows alone or from the address, such as a
card or the form, is still remembered.
"""

import os

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
django.setup(set_prefix=False)
_empty = engines["django"].from_string("<!doctype html><title>Hello</title><p>Hello, {{ name }}")


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse(_empty.render({"name": "world"}, request))


urlpatterns = [path("hello", hello), path("", include("marketplace.urls"))]
settings.ROOT_URLCONF = __name__
if os.environ.get("PAGES_KEPT") == "no":
    settings.CACHES["pages"] = {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}
application = get_wsgi_application()
