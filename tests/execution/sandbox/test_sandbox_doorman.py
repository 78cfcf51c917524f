import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from execution.sandbox import SandboxUnavailable, Verdict
from execution.sandbox.inside.doorman import MOST_NAMES
from execution.sandbox.inside.options import Layer
from execution.sandbox.landlock import Landlock
from execution.sandbox.nursery import Nursery
from execution.sandbox.runner import run_in
from tests.execution.sandbox.jobs import ROOMY, children_in, make_bot, make_job, make_sleeper, soon


def reading(path: Path | str) -> str:
    return make_bot(f'return Action("HOLD", 1.0, str(len(open({str(path)!r}, "rb").read())))')


@pytest.fixture(scope="module", params=[True, False], ids=["with Landlock", "alone"])
def nursery(request: pytest.FixtureRequest) -> Iterator[Nursery]:
    try:
        layers = Landlock().layers()
    except SandboxUnavailable as reason:
        pytest.skip(str(reason))
    left_out = set() if request.param else {Layer.LANDLOCK}
    with closing(Nursery(Landlock(), tuple(layer for layer in layers if layer not in left_out))) as nursery:
        yield nursery


def test_a_bot_opens_what_belongs_to_its_runtime(nursery: Nursery) -> None:
    bot = make_bot("""
        import os, pandas, zoneinfo
        libraries = os.path.dirname(os.path.dirname(pandas.__file__))
        assert "pandas" in os.listdir(libraries)
        assert open(libraries + "//pandas/../pandas/__init__.py").read() == open(pandas.__file__).read()
        assert zoneinfo.ZoneInfo("Europe/Berlin")
        assert len(open("/dev/urandom", "rb").read(8)) == 8
        assert open("/dev/null", "rb").read() == b""
    """)

    result = run_in(nursery, make_job(bot), ROOMY)

    assert (result.verdict, result.message) == (Verdict.OK, "")


@pytest.mark.parametrize("path", ["/etc/passwd", "/nowhere/at/all", "model.json", "/proc/self/mem", "/", ""])
def test_for_a_bot_nothing_else_exists(nursery: Nursery, path: str) -> None:
    result = run_in(nursery, make_job(reading(path)), ROOMY)

    assert result.verdict == Verdict.FAILED
    assert result.message.startswith("FileNotFoundError")


def test_a_bot_is_told_of_its_runtime_what_the_kernel_tells_of_an_open_file(nursery: Nursery) -> None:
    bot = make_bot("""
        import os, pandas, pathlib
        for path in (pandas.__file__, os.path.dirname(os.__file__), "/dev/null"):
            opened = os.open(path, os.O_RDONLY)
            assert os.stat(path) == os.lstat(path) == os.stat(opened) == os.fstat(opened)
            assert os.path.samefile(path, opened)
            os.close(opened)
        assert os.path.isdir(os.path.dirname(os.__file__)) and not os.path.isdir(os.__file__)
        assert os.path.realpath(os.__file__) == os.__file__ == str(pathlib.Path(os.__file__).resolve())
        assert not os.path.exists(os.__file__ + "x")
        assert all(entry.stat() and entry.is_file() for entry in os.scandir("/usr/share/zoneinfo/Europe"))
    """)

    result = run_in(nursery, make_job(bot), ROOMY)

    assert (result.verdict, result.message) == (Verdict.OK, "")


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self", "/", "/usr", "/usr/lib/../lib/os-release"])
def test_a_bot_is_not_told_that_anything_else_exists(nursery: Nursery, path: str) -> None:
    bot = make_bot(f"""
        import os
        os.stat({path!r})
    """)

    result = run_in(nursery, make_job(bot), ROOMY)

    assert result.message.startswith("FileNotFoundError")


def test_no_way_leads_up_from_the_runtime(nursery: Nursery) -> None:
    bot = make_bot("""
        import os
        climbing = os.path.dirname(os.__file__) + 20 * "/.." + "/etc/passwd"
        assert not os.path.exists(climbing)
        return Action("HOLD", 1.0, open(climbing).readline())
    """)

    result = run_in(nursery, make_job(bot), ROOMY)

    assert result.message.startswith("FileNotFoundError")


def test_too_many_names_close_the_door(nursery: Nursery) -> None:
    bot = make_bot(f"""
        import os
        for _ in range({MOST_NAMES}):
            os.path.exists("/")
        try:
            os.open("/dev/null", os.O_RDONLY)
        except OSError as error:
            return Action("HOLD", 1.0, error.strerror)
    """)

    result = run_in(nursery, make_job(bot), ROOMY)

    assert result.action is not None
    assert result.action.reason == "Function not implemented"


def test_a_zygote_ends_with_its_doorman(nursery: Nursery) -> None:
    with nursery.zygote(()) as zygote:
        doorman = min(children_in(nursery, zygote))  # the first that it forked
        sleeper = make_sleeper(lambda: os.kill(doorman, signal.SIGKILL))

        result = run_in(nursery, sleeper, ROOMY)

        assert result.verdict == Verdict.UNAVAILABLE
        assert soon(lambda: not zygote.is_alive())
