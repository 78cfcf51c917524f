import multiprocessing
import time
import uuid
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings

from exchanges.errors import ExchangeUnavailable, RateLimited
from exchanges.rate_budget import Bucket, RateBudget, bucket_of_key

PROCESSES = 4


@pytest.fixture
def exchange() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def budget(exchange: str) -> Iterator[RateBudget]:
    server = redis.Redis.from_url(settings.REDIS_URL)
    yield RateBudget(server, exchange, "here")
    server.close()


def calls_of(url: str, exchange: str, seconds: float, times: "multiprocessing.Queue[list[float]]") -> None:
    budget = RateBudget(redis.Redis.from_url(url), exchange, "here")
    bucket = Bucket("public", interval_seconds=0.05, burst=2)
    ends_at, taken = time.monotonic() + seconds, []
    while time.monotonic() < ends_at:
        budget.take([bucket])
        taken.append(time.monotonic())
    times.put(taken)


def test_processes_share_one_budget(exchange: str) -> None:
    context = multiprocessing.get_context("spawn")
    times = context.Queue()
    arguments = (settings.REDIS_URL, exchange, 1.5, times)
    processes = [context.Process(target=calls_of, args=arguments) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    taken = sorted(moment for _ in processes for moment in times.get(timeout=300))
    for process in processes:
        process.join()

    # any window holds at most the burst and what comes in after it; a wake-up may be late by 0.3 s
    for window in (10, 20, len(taken) - 1):
        for first, last in zip(taken, taken[window:], strict=False):
            assert last - first > (window - 2) * 0.05 - 0.3


def test_what_costs_more_waits_longer(budget: RateBudget) -> None:
    bucket = Bucket("public", interval_seconds=0.1, burst=1)
    started = time.monotonic()

    budget.take([bucket], cost=3)
    budget.take([bucket])

    assert 0.29 < time.monotonic() - started < 2


def test_a_call_that_would_wait_too_long_is_not_booked(budget: RateBudget) -> None:
    slow, free = Bucket("slow", 20, 1), Bucket("free", 20, 1)
    budget.take([slow])

    with pytest.raises(RateLimited, match="free in (19|20) s") as refused:
        budget.take([free, slow])

    assert 19 < refused.value.seconds <= 20
    budget.take([free])  # it kept its room


def test_a_halt_stops_everyone_and_is_not_shortened(budget: RateBudget) -> None:
    bucket = Bucket("public", 0.001, 10)
    budget.halt(60)
    budget.halt(2)

    with pytest.raises(RateLimited) as refused:
        budget.take([bucket])

    assert 58 < refused.value.seconds <= 60


def test_keys_have_buckets_of_their_own_that_do_not_name_them(budget: RateBudget) -> None:
    alices, bobs = bucket_of_key("alices-key", 20, 1), bucket_of_key("bobs-key", 20, 1)
    budget.take([alices])
    budget.take([bobs])

    assert "alice" not in alices.name
    with pytest.raises(RateLimited):
        budget.take([alices])


def test_each_address_has_room_of_its_own(exchange: str) -> None:
    server = redis.Redis.from_url(settings.REDIS_URL)
    here, there = RateBudget(server, exchange, "here"), RateBudget(server, exchange, "there")
    here.take([here.bucket_of_address(20, 1)])
    here.halt(60)

    there.take([there.bucket_of_address(20, 1)])

    with pytest.raises(RateLimited):
        there.take([there.bucket_of_address(20, 1)])
    server.close()


def nonces_of(url: str, exchange: str, nonces: "multiprocessing.Queue[list[int]]") -> None:
    server = redis.Redis.from_url(url)
    budget, taken = RateBudget(server, exchange, "here"), []
    for _ in range(50):
        with budget.in_turn("key"):
            nonce = budget.nonce("key")
            server.rpush(f"arrived:{exchange}", nonce)
        taken.append(nonce)
    nonces.put(taken)


def test_nonces_arrive_in_order_from_all_processes(exchange: str) -> None:
    context = multiprocessing.get_context("spawn")
    nonces = context.Queue()
    arguments = (settings.REDIS_URL, exchange, nonces)
    processes = [context.Process(target=nonces_of, args=arguments) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    drawn = [nonce for _ in processes for nonce in nonces.get(timeout=300)]
    for process in processes:
        process.join()

    arrived = [int(n) for n in redis.Redis.from_url(settings.REDIS_URL).lrange(f"arrived:{exchange}", 0, -1)]
    assert arrived == sorted(set(drawn))


def test_without_redis_nothing_is_asked(exchange: str) -> None:
    nowhere = redis.Redis.from_url("redis://127.0.0.1:1")

    with pytest.raises(ExchangeUnavailable, match="is Redis up"):
        RateBudget(nowhere, exchange, "here").take([Bucket("public", 1, 1)])


def test_a_ban_stops_who_is_already_waiting_for_a_turn(
    budget: RateBudget, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = budget.bucket_of_address(0.4, 1)
    budget.take([bucket])
    monkeypatch.setattr("exchanges.rate_budget.time.sleep", lambda _: budget.halt(5))

    with pytest.raises(RateLimited, match="told us to stop"):
        budget.take([bucket])


def test_a_shorter_halt_takes_no_longer_ones_place(budget: RateBudget) -> None:
    budget.halt(3600)
    budget.halt(30)

    assert budget.halted_seconds() > 3500
