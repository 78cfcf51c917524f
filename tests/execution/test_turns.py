import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from execution.models import Cycle
from execution.turns import Asking, Turns
from subscriptions.models import Subscription
from tests.execution.sandbox.jobs import make_bot, make_job

JOB = make_job(make_bot("pass"))


def asking(version: int) -> Asking:
    return JOB, [Cycle(subscription=Subscription(version_id=version))]


def taken(turns: Turns) -> int:
    with turns.next() as ((_, cycles), _):
        return cycles[0].subscription.version_id


def test_those_who_did_harm_come_last() -> None:
    turns = Turns()
    for version in (1, 2, 1, 3):
        turns.add(asking(version))
    with turns.next() as (first, is_suspect):
        assert not is_suspect
        turns.blame(first)
    turns.add(asking(1))
    turns.add(asking(4), is_suspect=True)
    turns.add(asking(5))

    assert [taken(turns) for _ in range(6)] == [2, 3, 5, 1, 1, 4]


def test_suspects_go_alone_and_hold_up_nobody() -> None:
    turns = Turns()
    for _ in range(3):
        turns.add(asking(1), is_suspect=True)
    begun, may_end = threading.Semaphore(0), threading.Event()

    def take() -> int:
        with turns.next() as ((_, cycles), is_suspect):
            version = cycles[0].subscription.version_id
            assert is_suspect == (version == 1)
            if version == 1:
                begun.release()
                may_end.wait(10)
            return version

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(take) for _ in range(4)]
        assert begun.acquire(timeout=10)
        turns.add(asking(2))
        done, waiting = wait(running, timeout=10, return_when=FIRST_COMPLETED)
        assert [each.result() for each in done] == [2]
        assert not begun.acquire(timeout=0.2)  # no second suspect beside the first
        may_end.set()
        assert [each.result(10) for each in waiting] == [1, 1, 1]
