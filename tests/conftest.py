"""The cast of the tests and what keeps them inside this machine."""

import os
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from celery.signals import before_task_publish
from django.conf import settings as django_settings
from django.core.mail import EmailMessage
from django.db import connection, connections
from django.db.models.signals import post_migrate
from django.utils import timezone
from hypothesis import HealthCheck
from pytest_django.fixtures import Settings
from pytest_django.plugin import DjangoDbBlocker

from accounts import audit, notifying
from accounts.models import User
from exchanges import gateways, prices
from exchanges.simulator.server import serve
from tests.factories import first_look, make_user

# A machine that stands still for a moment is no finding.
hypothesis.settings.register_profile(
    "tests", hypothesis.settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis.settings.load_profile("tests")


def pytest_configure() -> None:
    if "DATABASE_URL" not in os.environ:
        pytest.exit("Tests need their servers: run `make test ARGS=...`, which starts them.", returncode=4)
    post_migrate.connect(begin_audit_log_again)


def begin_audit_log_again(**_: object) -> None:
    """Begin the log that a test which commits has emptied; by this signal Django tells that tables are."""
    audit.begin()


@pytest.fixture(scope="session", autouse=True)
def static_root() -> None:
    """Have the folder that the static files' middleware looks for, also before anything was collected."""
    django_settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:  # noqa: ARG001
    """Let no thread of the live server keep a connection, which would outlive the test database.

    Each process that shares the tests keeps its own database, which the fixture that is asked for names.
    """
    connections.settings["default"]["CONN_MAX_AGE"] = 0


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Let tests that commit empty all tables, which the audit log's otherwise refuse."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for table in ("auditentry", "audithead"):
            cursor.execute(f"ALTER TABLE accounts_{table} DISABLE TRIGGER accounts_{table}_is_not_emptied")


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        is_local = self.family == socket.AF_UNIX or str(address[0]) in ("127.0.0.1", "::1", "localhost")
        if not is_local:
            raise OSError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def throwaway_storage(settings: Settings, tmp_path: Path) -> None:
    settings.STORAGES = settings.STORAGES | {
        "artifacts": {
            "BACKEND": "bots.object_stores.VersionedFolder",
            "OPTIONS": {"location": tmp_path / "artifacts"},
        },
        "candles": {
            "BACKEND": "exchanges.candle_store.WholeFileStorage",
            "OPTIONS": {"location": tmp_path / "candles"},
        },
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    }
    settings.ARTIFACT_CACHE_DIR = tmp_path / "artifact-cache"
    # rate limits count in the cache: no test inherits the attempts of another
    settings.CACHES = {
        "default": {**settings.CACHES["default"], "KEY_PREFIX": uuid.uuid4().hex},
        "pages": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
    }
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture(autouse=True)
def a_pace_of_its_own(settings: Settings) -> None:
    """Let no test wait for what another one asked an exchange, or stop because that one was told to."""
    settings.EGRESS_ADDRESS = uuid.uuid4().hex


@pytest.fixture(autouse=True)
def a_look_at_the_clock() -> None:
    """Let no test count ages of candles from what was the newest one in another test."""
    first_look.clear()


@pytest.fixture(autouse=True)
def prices_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a price that a test sets be seen at once."""
    monkeypatch.setattr(prices, "GOOD_FOR_SECONDS", 0)


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the newest candle count as just closed, whenever the test runs and if the next closes meanwhile."""
    monkeypatch.setattr("execution.freshness.FRESH_SHARE_OF_CANDLE", 2.0)


@pytest.fixture
def simulated_exchange(settings: Settings) -> Iterator[str]:
    """The URL of a simulated Binance over HTTP, which the settings name as the source of market data."""
    with serve(port=0, seed=7) as url:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
        gateways.public_gateway.cache_clear()
        yield url
        gateways.public_gateway.cache_clear()


@pytest.fixture
def published() -> Iterator[list[tuple[str, list[Any]]]]:
    """Name and arguments of each message that is sent to workers meanwhile."""
    messages: list[tuple[str, list[Any]]] = []

    def note(sender: str, body: tuple[list[Any], dict[str, Any], dict[str, Any]], **_: object) -> None:
        messages.append((sender, list(body[0])))

    before_task_publish.connect(note)
    yield messages
    before_task_publish.disconnect(note)


@pytest.fixture
def letters(mailoutbox: list[EmailMessage]) -> Callable[[], list[EmailMessage]]:
    """Deliver what people are to be told, and return what they were written so far."""

    def delivered() -> list[EmailMessage]:
        notifying.spread(timezone.now())
        notifying.deliver(timezone.now())
        return mailoutbox

    return delivered


@pytest.fixture
def alice(db: None) -> User:
    """The developer."""
    return make_user("alice")


@pytest.fixture
def bob(db: None) -> User:
    """Alice's subscriber."""
    return make_user("bob")


@pytest.fixture
def charlie(db: None) -> User:
    """A stranger to both."""
    return make_user("charlie")


@pytest.fixture
def mona(db: None) -> User:
    """The moderator."""
    return make_user("mona", is_staff=True, is_superuser=True)
