import os
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from marketplace.static_files import collect_when_changed


@pytest.fixture
def source(settings: Settings, tmp_path: Path) -> Path:
    settings.STATIC_ROOT = tmp_path / "collected"
    settings.STATICFILES_DIRS = [tmp_path / "source"]
    settings.STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
    file = tmp_path / "source" / "site.css"
    file.parent.mkdir()
    file.write_text("body { color: black }")
    return file


def test_unchanged_files_are_collected_once(source: Path, settings: Settings) -> None:
    assert collect_when_changed()
    assert not collect_when_changed()

    assert (settings.STATIC_ROOT / "site.css").read_text() == source.read_text()


def test_a_changed_file_is_collected_again(source: Path, settings: Settings) -> None:
    collect_when_changed()
    source.write_text("body { color: darkslategray }")
    os.utime(source, (0, 0))  # older than what was collected, as after installing an older package

    assert collect_when_changed()
    assert "darkslategray" in (settings.STATIC_ROOT / "site.css").read_text()
