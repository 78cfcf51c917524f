"""A worker's own copies of bots' files, so that storage is asked once for each.

A copy is named by the sha256 of its content and is checked against it each time: what comes out is what was
approved, or nothing. Those that were not read for the longest time make room for others.
"""

import hashlib
import logging
import os
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.conf import settings

logger = logging.getLogger(__name__)


def find(sha256: str) -> bytes | None:
    """Return the bytes with this hash, or None when there is no copy of them; a bad copy is removed."""
    path = _folder() / sha256
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() == sha256:
            os.utime(path)  # when it was read last: disks do not note that by themselves
            return content
        path.unlink(missing_ok=True)
    except FileNotFoundError:
        return None
    except OSError as error:
        logger.warning("The copies of bots' files cannot be read: %s", error)
        return None
    logger.warning("The copy %s was damaged and is removed", path)
    return None


def keep(sha256: str, content: bytes) -> None:
    """Keep a copy of the bytes that have this hash, if there is room; a disk that is full is no error."""
    most = settings.ARTIFACT_CACHE_MB << 20
    if len(content) > most:
        return
    try:
        folder = _folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_room(folder, most - len(content))
        with NamedTemporaryFile(dir=folder, suffix=".part", delete_on_close=False) as part:
            part.write(content)
            part.flush()
            os.replace(part.name, folder / sha256)
    except OSError as error:
        logger.warning("A copy of a bot's file cannot be kept: %s", error)


def _make_room(folder: Path, most: int) -> None:
    """Remove what was not read for the longest time, until there are at most so many bytes."""
    copies = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another worker makes room too
            facts = path.stat()
            copies.append((facts.st_mtime, facts.st_size, path))
    total = sum(size for _, size, _ in copies)
    for _, size, path in sorted(copies):
        if total <= most:
            return
        path.unlink(missing_ok=True)
        total -= size


def _folder() -> Path:
    return Path(settings.ARTIFACT_CACHE_DIR)
