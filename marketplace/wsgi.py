import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")

application = get_wsgi_application()

from marketplace.only_utf8 import Request  # noqa: E402  needs the settings

application.request_class = Request
