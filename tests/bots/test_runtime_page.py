import platform
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django import DjangoAssertNumQueries
from pytest_django.fixtures import Settings

from bot_sdk.model_files import MODEL_ENDINGS
from bots.runtime import PURPOSES, installed_libraries

pytestmark = pytest.mark.django_db

REQUIREMENTS = Path(django_settings.BASE_DIR, "requirements")


def page(client: Client) -> str:
    response = client.get("/runtime/")
    assert response.status_code == 200
    return response.content.decode()


def install(runtime: Path, name: str, version: str) -> None:
    folder = runtime / "site-packages" / f"{name}-{version}.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def test_the_page_lists_each_library_with_the_version_that_is_pinned(client: Client) -> None:
    pins = dict(line.split("==") for line in (REQUIREMENTS / "bots.txt").read_text().splitlines())

    html = page(client)

    assert f'<th scope="row">pandas</th><td>{pins["pandas"]}</td>' in html
    for name in PURPOSES:
        assert f'<th scope="row">{name}</th><td>{pins.pop(name)}</td>' in html
    for name, version in pins.items():
        assert f"{name} {version}" in html
    assert f"Python {platform.python_version()}" in html


def test_every_library_that_is_asked_for_says_what_it_is_for() -> None:
    lines = (REQUIREMENTS / "bots.in").read_text().splitlines()

    assert PURPOSES.keys() == {line for line in lines if not line.startswith("#")}


def test_the_page_lists_what_opens_each_model_file(client: Client) -> None:
    html = page(client)

    for ending, model in MODEL_ENDINGS.items():
        assert f"<code>{ending}</code></th><td>{model.gives}</td><td>{model.libraries[0]}</td>" in html


def test_the_page_shows_the_limits_of_this_marketplace(client: Client, settings: Settings) -> None:
    settings.BOT_EXECUTION_TIMEOUT, settings.BOT_MAX_MEMORY_MB, settings.BOT_MAX_CPU_PERCENT = 41, 777, 23

    html = page(client)

    for text in ("41 seconds", "777 MB", "23 % of one core"):
        assert text in html


def test_the_page_asks_the_database_nothing(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        page(client)


def test_a_missing_runtime_is_said_plainly(client: Client, settings: Settings, tmp_path: Path) -> None:
    settings.BOT_RUNTIME_DIR = tmp_path / "nowhere"

    html = page(client)

    assert "The libraries are not installed on this server" in html
    assert "<td>onnxruntime</td>" in html


def test_a_runtime_that_is_built_later_is_found(tmp_path: Path) -> None:
    assert not installed_libraries(tmp_path)

    install(tmp_path, "pandas_ta", "1.5")

    assert [(each.name, each.version) for each in installed_libraries(tmp_path)] == [("pandas-ta", "1.5")]


def test_every_page_leads_to_the_runtime(client: Client) -> None:
    assert 'href="/runtime/"' in client.get("/").content.decode()


def test_the_document_says_the_same_as_the_page() -> None:
    document = Path(django_settings.BASE_DIR, "docs", "runtime.md").read_text()

    for name, purpose in PURPOSES.items():
        assert f"| {name} | {purpose} |" in document
    for ending, model in MODEL_ENDINGS.items():
        assert f"| `{ending}` | {model.gives} | {model.libraries[0]} |" in document
