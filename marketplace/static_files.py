"""Collect static files only when they changed: hashing and compressing them is most of a start's time."""

import hashlib
from collections.abc import Iterator

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command

STAMP = "collected"


def collect_when_changed() -> bool:
    """Bring STATIC_ROOT up to date; return whether there was anything to do."""
    stamp = settings.STATIC_ROOT / STAMP
    fingerprint = hashlib.sha256("\n".join(sorted(_sources())).encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == fingerprint:
        return False
    call_command("collectstatic", interactive=False, clear=True, verbosity=0)
    stamp.write_text(fingerprint)
    return True


def _sources() -> Iterator[str]:
    for finder in get_finders():
        for path, storage in finder.list([]):
            changed_at = storage.get_modified_time(path).timestamp()
            yield f"{path} {storage.size(path)} {changed_at}"
