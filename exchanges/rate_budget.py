"""What all processes together may ask of an exchange: one budget in Redis, kept before anything is sent.

A bucket is the generic cell rate algorithm: each call moves the bucket's "theoretical arrival time" on by its
cost, and has to wait while that time is further ahead than the burst. A call that may go is booked at once,
so that two processes never take the same room.
"""

import contextlib
import hashlib
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import redis

from exchanges.errors import ExchangeUnavailable, RateLimited

MOST_WAIT_SECONDS = 10.0  # longer than that, the caller should do something else meanwhile
SHORT_WAIT_SECONDS = 2.0  # for those who have: a worker that sleeps serves nobody
LONGEST_HALT_SECONDS = 3 * 24 * 3600  # the longest ban that an exchange names
NONCE_LOCK_SECONDS = 30  # longer than a call with its time-out, so that only a dead process loses the lock

# KEYS: the halt, then one per bucket. ARGV: the longest wait in µs, then cost and burst in µs per bucket.
# Returns {1, wait} when booked, {0, wait} when it has to come again.
_TAKE = """
local halted = redis.call('PTTL', KEYS[1])
if halted > 0 then return {0, halted * 1000} end
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local wait, arrivals = 0, {}
for i = 2, #KEYS do
  local arrival = math.max(tonumber(redis.call('GET', KEYS[i]) or 0), now)
  wait = math.max(wait, arrival - tonumber(ARGV[2 * i - 1]) - now)
  arrivals[i] = arrival + tonumber(ARGV[2 * i - 2])
end
if wait > tonumber(ARGV[1]) then return {0, wait} end
for i = 2, #KEYS do
  local ahead = math.ceil((arrivals[i] - now) / 1000) + 1000
  redis.call('SET', KEYS[i], string.format('%.0f', arrivals[i]), 'PX', ahead)
end
return {1, wait}
"""

# KEYS: the halt. ARGV: ms. A shorter halt never takes the place of a longer one.
_HALT = """
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], 1, 'PX', ARGV[1]) end
"""

# KEYS: the last nonce. Returns the next one: microseconds, and always more than the last.
_NONCE = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local nonce = math.max(tonumber(redis.call('GET', KEYS[1]) or 0) + 1, now)
local text = string.format('%.0f', nonce)
redis.call('SET', KEYS[1], text)
return text
"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Room for `burst` calls of cost 1 at once, and for one more every `interval_seconds`."""

    name: str
    interval_seconds: float
    burst: float


class RateBudget:
    """The budget of one exchange from one egress address: that address's bucket, and those of keys."""

    def __init__(self, server: redis.Redis, exchange: str, egress: str) -> None:
        self.patience_seconds = MOST_WAIT_SECONDS  # of those who take from it here
        self.server = server
        self.exchange = exchange
        self._egress = egress
        self._prefix = f"rate:{exchange}"
        self._halt = f"{self._prefix}:halt:{egress}"
        self._take = server.register_script(_TAKE)
        self._stop_all = server.register_script(_HALT)
        self._next_nonce = server.register_script(_NONCE)

    def take(self, buckets: Sequence[Bucket], cost: float = 1.0) -> None:
        """Book a call of `cost` in each bucket and return when it may be sent.

        Raises RateLimited, having booked nothing, when that would take longer than our patience or the
        exchange has told us to stop, also while we waited for our turn; and ExchangeUnavailable when Redis
        cannot be asked: an exchange that is asked without a budget bans everybody.
        """
        arguments = [int(self.patience_seconds * 1e6)]
        for bucket in buckets:
            interval = bucket.interval_seconds * 1e6
            arguments += [int(cost * interval), int((bucket.burst - 1) * interval)]
        keys = [self._halt, *(f"{self._prefix}:{bucket.name}" for bucket in buckets)]
        with _asking_redis():
            is_booked, microseconds = self._take(keys=keys, args=arguments)
        wait = microseconds / 1e6
        if not is_booked:
            raise RateLimited(f"The exchange's rate budget is used up; free in {wait:.0f} s.", wait)
        if wait:
            time.sleep(wait)
            self._require_no_halt()

    def halted_seconds(self) -> float:
        """Return for how long everyone still has to stop; 0 when nobody has to."""
        with _asking_redis():
            return float(max(0, self.server.pttl(self._halt))) / 1000

    def bucket_of_address(self, interval_seconds: float, burst: float) -> Bucket:
        """Return the bucket that all who leave by this address share."""
        return Bucket(f"address:{self._egress}", interval_seconds, burst)

    def halt(self, seconds: float) -> None:
        """Have everyone stop for so long, unless they were told to stop for longer."""
        milliseconds = int(min(max(seconds, 1), LONGEST_HALT_SECONDS) * 1000)
        with _asking_redis():
            self._stop_all(keys=[self._halt], args=[milliseconds])

    def _require_no_halt(self) -> None:
        seconds = self.halted_seconds()
        if seconds:
            raise RateLimited(f"The exchange told us to stop; free in {seconds:.0f} s.", seconds)

    @contextlib.contextmanager
    def in_turn(self, key: str) -> Iterator[None]:
        """Hold the only turn of an API key whose nonces have to arrive in order."""
        lock = self.server.lock(
            f"{self._prefix}:turn:{_hash(key)}",
            timeout=NONCE_LOCK_SECONDS,
            blocking_timeout=MOST_WAIT_SECONDS,
        )
        with _asking_redis():
            if not lock.acquire(token=uuid.uuid4().hex):
                raise RateLimited("Another process keeps using this key; try again.", MOST_WAIT_SECONDS)
        try:
            yield
        finally:
            # it may have run out, and be somebody else's
            with contextlib.suppress(redis.exceptions.LockError), _asking_redis():
                lock.release()

    def nonce(self, key: str) -> int:
        """Return the next nonce of an API key, in microseconds; no process gets the same or a smaller one."""
        with _asking_redis():
            return int(self._next_nonce(keys=[f"{self._prefix}:nonce:{_hash(key)}"]))


def bucket_of_key(key: str, interval_seconds: float, burst: float) -> Bucket:
    """Return the bucket of an API key, whose name does not tell the key."""
    return Bucket(f"key:{_hash(key)}", interval_seconds, burst)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


@contextlib.contextmanager
def _asking_redis() -> Iterator[None]:
    try:
        yield
    except redis.exceptions.LockError:
        raise
    except redis.RedisError as error:
        raise ExchangeUnavailable(f"The shared rate budget cannot be read; is Redis up? {error}") from error
