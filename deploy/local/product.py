"""`python -m deploy.local up`: the whole product on this machine, until Ctrl-C."""

import fcntl
import http.client
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from deploy.local import env, process
from deploy.local.places import ENV_FILE, ROOT, STATE
from deploy.local.ports import HOST, is_free, is_listening
from deploy.local.postgres import Postgres, PostgresFailed
from deploy.local.supervisor import Interruption, ServiceFailed, Supervisor, tail
from deploy.local.valkey import Valkey, ValkeyFailed

LOGS = STATE / "logs"
DEMO_PEOPLE = ("demo-trader", "demo-developer", "demo-moderator", "demo-operator")
_HEALTHY_SECONDS = 120.0
_EMBEDDED = ("DATABASE_URL", "REDIS_URL", "EXCHANGE_SIMULATOR_URL")
_MANAGE = (sys.executable, "manage.py")
_THREADS, _WEB_WORKERS, _TASK_WORKERS = "4", "2", "4"


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
            _start_market(supervisor, settings, is_over)
            _prepare(supervisor, is_over)
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
    current = dict(stored)
    for name in _EMBEDDED:
        if _is_embedded(name, stored):
            current[name] = env.with_free_port(stored[name])
    address = _web_address(os.environ.get("PORT"))
    if urlsplit(stored["PUBLIC_URL"]).hostname == HOST:
        current["PUBLIC_URL"] = address
    if current != stored:
        env.store(ENV_FILE, current)
    return address, {name: os.environ.get(name, value) for name, value in current.items()}


def _web_address(wanted: str | None) -> str:
    """Return where the pages will be: on the port that was asked for, or else on the usual or a free one."""
    if wanted is None:
        usual = f"http://{HOST}:{env.WEB_PORT}"
        address = env.with_free_port(usual)
        if address != usual:
            print(f"Port {env.WEB_PORT} is in use, so another one is taken.")
        return address
    if not wanted.isdecimal() or not 0 < int(wanted) < 65_536:
        sys.exit(f"PORT: expected a number from 1 to 65535, got {wanted!r}.")
    if not is_free(int(wanted)):
        sys.exit(f"Port {wanted} is in use. Name another one with PORT=…, or none for a free one.")
    return f"http://{HOST}:{wanted}"


def _is_embedded(name: str, settings: Mapping[str, str]) -> bool:
    """Tell whether a URL is of a server of ours: from the file, not the environment, and on this machine."""
    return name not in os.environ and urlsplit(settings[name]).hostname == HOST


def _start_servers(supervisor: Supervisor, settings: Mapping[str, str]) -> None:
    """Start the embedded database and broker, unless the settings name others."""
    if _is_embedded("DATABASE_URL", settings):
        log = _log("postgres")
        postgres = Postgres(settings["DATABASE_URL"], STATE / "postgres", log)
        if not postgres.data.is_relative_to(STATE):
            print(f"Only root may enter {STATE}, so the database is in {postgres.data}.")
        supervisor.keep(postgres, log)
    if _is_embedded("REDIS_URL", settings):
        log = _log("valkey")
        supervisor.keep(Valkey(settings["REDIS_URL"], STATE / "valkey", log), log)


def _start_market(supervisor: Supervisor, settings: Mapping[str, str], is_over: Interruption) -> None:
    if settings["MARKET_DATA"] == "simulator" and _is_embedded("EXCHANGE_SIMULATOR_URL", settings):
        port = urlsplit(settings["EXCHANGE_SIMULATOR_URL"]).port or 0
        command = [*_MANAGE, "exchange_simulator", "--port", str(port)]
        supervisor.start("simulator", command, _log("simulator"))
        supervisor.watch(lambda: is_over() or is_listening(port))


def web_command(address: str, application: str = "marketplace.wsgi") -> list[str]:
    """Return what starts the web server at an address such as http://127.0.0.1:8000."""
    command = [sys.executable, "-m", "gunicorn", application, "--bind", urlsplit(address).netloc]
    command += ["--worker-class", "gthread", "--workers", _WEB_WORKERS, "--threads", _THREADS]
    return [*command, "--preload", "--no-control-socket"]


def _start_web(supervisor: Supervisor, address: str) -> None:
    supervisor.start("web", web_command(address), _log("web"))


def _start_work(supervisor: Supervisor) -> None:
    celery = [sys.executable, "-m", "celery", "-A", "marketplace"]
    work = [*celery, "worker", "--loglevel", "INFO", "--without-gossip"]
    cycles = [*work, "--concurrency", _TASK_WORKERS]
    # Asked politely while its broker ends as well, a worker waits for it forever. Killed, it leaves
    # interrupted cycles, which the sweep of the next start takes care of.
    supervisor.start("worker", cycles, _log("worker"), last_wish=signal.SIGKILL)
    for queue in ("backtests", "gates"):  # what runs long, one at a time each; yields to whatever trades
        slow = ["nice", *work, "--concurrency", "1", "--queues", queue, "--hostname", f"{queue}@%h"]
        supervisor.start(queue, slow, _log(queue), last_wish=signal.SIGKILL)
    supervisor.start("beat", [*celery, "beat", "--pidfile", "", "--loglevel", "INFO"], _log("beat"))


def _prepare(supervisor: Supervisor, is_over: Interruption) -> None:
    log = _log("prepare")
    running = process.start([*_MANAGE, "prepare"], log=log, environment=supervisor.environment, folder=ROOT)
    try:
        supervisor.watch(lambda: is_over() or running.poll() is not None)
    finally:
        process.stop(running)
    if running.returncode != 0 and not is_over():
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
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=5)
    try:
        connection.request("GET", "/healthz", headers={"Host": host})
        # A site that is public by HTTPS sends plain requests there.
        return connection.getresponse().status in (http.HTTPStatus.OK, http.HTTPStatus.MOVED_PERMANENTLY)
    except OSError:
        return False
    finally:
        connection.close()


def _greet(settings: Mapping[str, str]) -> None:
    print(f"\nBot Marketplace is running at {settings['PUBLIC_URL']}")
    if settings.get("DEMO") == "true":
        print(f"Demo logins: {', '.join(DEMO_PEOPLE)}; password: {settings['DEMO_PASSWORD']}")
        print("The last two are staff, whose code `.venv/bin/python manage.py demo_code` prints.")
    print(f"Staff pages: {settings['PUBLIC_URL']}/admin/. Logs and mail: {STATE}")
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
