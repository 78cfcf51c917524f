"""`make bench`: the figures that the README quotes, measured on this machine; ARGS="confined_run" for some.

Run inside `deploy.local exec`, which gives it a database and a broker of its own.
"""

import os
import platform
import sys

import django
from django.core.management import call_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    # Models and what builds on them can be imported only from here on.
    from benchmarks import (  # noqa: PLC0415
        backtests,
        clients,
        collecting,
        confined_run,
        exchange_requests,
        many_subscriptions,
        market_tick,
        neighbours,
        new_candle,
        orders,
        pages,
        rehearsals,
        second_start,
        window,
    )

    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    reports = {
        "confined_run": confined_run.report,
        "neighbours": neighbours.report,
        "exchange_requests": exchange_requests.report,
        "collecting": collecting.report,
        "clients": clients.report,
        "new_candle": new_candle.report,
        "orders": orders.report,
        "rehearsals": rehearsals.report,
        "market_tick": market_tick.report,
        "many_subscriptions": many_subscriptions.report,
        "second_start": second_start.report,
        "window": window.report,
        "backtests": backtests.report,
        "pages": pages.report,
    }
    for name in sys.argv[1:] or reports:
        reports[name]()


main()
