"""`python -m deploy.local up`: the whole product on this machine, until Ctrl-C."""

import fcntl
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local import env
from deploy.local.places import ENV_FILE, ROOT, STATE
from deploy.local.ports import HOST
from deploy.local.postgres import Postgres, PostgresFailed
from deploy.local.supervisor import Interruption, ServiceFailed, Supervisor, tail
from deploy.local.valkey import Valkey, ValkeyFailed

LOGS = STATE / "logs"
DEMO_PEOPLE = ("demo-trader", "demo-developer", "demo-moderator")
_HEALTHY_SECONDS = 120.0
_EMBEDDED = ("DATABASE_URL", "REDIS_URL", "EXCHANGE_SIMULATOR_URL")
_MANAGE = (sys.executable, "manage.py")
_THREADS, _WEB_WORKERS, _TASK_WORKERS = "4", "2", "2"


def up() -> None:
    """Start everything, print where it is, and keep it running."""
    STATE.mkdir(exist_ok=True)
    is_over = Interruption()
    with (STATE / "up.lock").open("a+") as lock:
        _refuse_second_start(lock.fileno())
        address, settings = _settings()
        supervisor = Supervisor(ROOT, {**os.environ, **settings, "ENV_FILE": ""})
        try:
            _start_servers(supervisor, settings)
            _start_market(supervisor, settings)
            _prepare(supervisor)
            _start_web(supervisor, address)
            _await_page(address, settings, supervisor, is_over)
            _start_work(supervisor)
            supervisor.watch(is_over)
        except (PostgresFailed, ValkeyFailed, ServiceFailed) as failure:
            sys.exit(f"\n{failure}")
        finally:
            print("\nStopping …", flush=True)
            supervisor.stop()
    print("Stopped.")


def _settings() -> tuple[str, dict[str, str]]:
    """Return the web server's address and the settings; the environment wins, and ports are free ones."""
    stored = env.load(ENV_FILE)
    for name in _EMBEDDED:
        stored[name] = env.with_free_port(stored[name])
    address = env.with_free_port(f"http://{HOST}:{os.environ.get('PORT') or env.WEB_PORT}")
    stored["PUBLIC_URL"] = address
    env.store(ENV_FILE, stored)
    return address, {name: os.environ.get(name, value) for name, value in stored.items()}


def _start_servers(supervisor: Supervisor, settings: Mapping[str, str]) -> None:
    """Start the embedded database and broker, unless the environment names others."""
    if "DATABASE_URL" not in os.environ:
        log = _log("postgres")
        supervisor.keep(Postgres(settings["DATABASE_URL"], STATE / "postgres", log), log)
    if "REDIS_URL" not in os.environ:
        log = _log("valkey")
        supervisor.keep(Valkey(settings["REDIS_URL"], STATE / "valkey", log), log)


def _start_market(supervisor: Supervisor, settings: Mapping[str, str]) -> None:
    if settings["MARKET_DATA"] == "simulator":
        port = str(urlsplit(settings["EXCHANGE_SIMULATOR_URL"]).port)
        supervisor.start("simulator", [*_MANAGE, "exchange_simulator", "--port", port], _log("simulator"))


def _start_web(supervisor: Supervisor, address: str) -> None:
    command = [sys.executable, "-m", "gunicorn", "marketplace.wsgi", "--bind", urlsplit(address).netloc]
    command += ["--worker-class", "gthread", "--workers", _WEB_WORKERS, "--threads", _THREADS]
    supervisor.start("web", [*command, "--preload", "--no-control-socket"], _log("web"))


def _start_work(supervisor: Supervisor) -> None:
    celery = [sys.executable, "-m", "celery", "-A", "marketplace"]
    work = ["worker", "--concurrency", _TASK_WORKERS, "--loglevel", "INFO"]
    supervisor.start("worker", [*celery, *work], _log("worker"))
    supervisor.start("beat", [*celery, "beat", "--pidfile", "", "--loglevel", "INFO"], _log("beat"))


def _prepare(supervisor: Supervisor) -> None:
    log = _log("prepare")
    with log.open("w") as stream:
        done = subprocess.run(
            [*_MANAGE, "prepare"],
            cwd=ROOT,
            env=supervisor.environment,
            stdout=stream,
            stderr=stream,
            check=False,
        )
    if done.returncode != 0:
        raise ServiceFailed(f"Preparing the database failed. The end of {log}:\n{tail(log)}")


def _await_page(
    address: str, settings: Mapping[str, str], supervisor: Supervisor, is_over: Interruption
) -> None:
    """Look after the services until the web server is healthy, then say where it is."""
    deadline = time.monotonic() + _HEALTHY_SECONDS
    host = urlsplit(settings["PUBLIC_URL"]).netloc
    supervisor.watch(lambda: is_over() or _is_healthy(address, host) or time.monotonic() > deadline)
    if time.monotonic() > deadline:
        raise ServiceFailed(f"No page at {address} in time. The end of its log:\n{tail(LOGS / 'web.log')}")
    if not is_over():
        _greet(settings)


def _is_healthy(address: str, host: str) -> bool:
    request = urllib.request.Request(f"{address}/healthz", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _greet(settings: Mapping[str, str]) -> None:
    print(f"\nBot Marketplace is running at {settings['PUBLIC_URL']}")
    if settings.get("DEMO") == "true":
        print(f"Demo logins: {', '.join(DEMO_PEOPLE)}; password: {settings['DEMO_PASSWORD']}")
    print(f"Staff pages: {settings['PUBLIC_URL']}/admin/ (as demo-moderator). Logs and mail: {STATE}")
    print("Ctrl-C stops everything.", flush=True)


def _refuse_second_start(lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        url = env.load(ENV_FILE)["PUBLIC_URL"]
        sys.exit(f"It is running already, at {url}. Stop it there with Ctrl-C first.")


def _log(name: str) -> Path:
    """Return the log of one start; the one of the start before stays beside it."""
    log = LOGS / f"{name}.log"
    if log.exists():
        log.replace(log.with_suffix(".old.log"))
    LOGS.mkdir(exist_ok=True)
    return log
