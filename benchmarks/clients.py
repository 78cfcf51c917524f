"""What a worker pays for ccxt: the import, an exchange's markets, and a client per account and task."""

import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

from django.conf import settings

from exchanges.credentials import Credentials
from exchanges.gateways import account_client, public_gateway
from exchanges.simulator.listings import LISTINGS
from exchanges.simulator.server import serve

RUNS = 9
PAGE = 4096
SIZE = "int(open('/proc/self/statm').read().split()[1])"  # pages
CREDENTIALS = Credentials("k" * 64, "s" * 64)


def report() -> None:
    print(f"what ccxt costs a worker; {len(LISTINGS)} simulated markets")
    print(f"import ccxt: {_import_seconds('import ccxt'):.2f} s of CPU, {_import_mb('import ccxt'):.0f} MB")
    with serve(has_limits=False) as url:
        settings.MARKET_DATA, settings.EXCHANGE_SIMULATOR_URL = "simulator", url
        settings.EXCHANGE_TESTNET_MODE = False
        public_gateway.cache_clear()
        gateway = public_gateway("BINANCE")
        gateway.fetch_markets()

        def borrow() -> None:
            gateway.lend_markets(account_client("BINANCE", "LIVE", CREDENTIALS).client)

        def load() -> None:
            account_client("BINANCE", "TESTNET", CREDENTIALS).client.load_markets()

        print(
            f"a client for one task, with the process's markets: {_milliseconds(borrow):.1f} ms, no request"
        )
        print(f"a client that loads its own: {_milliseconds(load):.1f} ms, one request\n")


def _milliseconds(deed: Callable[[], None]) -> float:
    times = []
    for _ in range(RUNS):
        start = time.perf_counter()
        deed()
        times.append(time.perf_counter() - start)
    return median(times) * 1000


def _import_seconds(statement: str) -> float:
    code = f"import time; start = time.process_time(); {statement}; print(time.process_time() - start)"
    return median(float(_printed(code)) for _ in range(3))


def _import_mb(statement: str) -> float:
    """Return by how much the import makes a process grow."""
    code = f"before = {SIZE}; {statement}; print({SIZE} - before)"
    return int(_printed(code)) * PAGE / 1e6


def _printed(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
