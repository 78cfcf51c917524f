"""The product's WSGI application with static files of its own, hashed and compressed."""

import os
from pathlib import Path

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application

from marketplace.static_files import collect_when_changed

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
django.setup(set_prefix=False)
settings.STATIC_ROOT = Path(os.environ["COLLECTED"])
collect_when_changed()
application = get_wsgi_application()
