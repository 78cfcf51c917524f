"""`make bench`: the figures that the README quotes, measured on this machine.

Run inside `deploy.local exec`, which gives it a database and a broker of its own.
"""

import os
import platform

import django
from django.core.management import call_command


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "marketplace.settings")
    django.setup()
    call_command("migrate", interactive=False, verbosity=0)
    # Models and what builds on them can be imported only from here on.
    from benchmarks import market_tick, second_start  # noqa: PLC0415

    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    market_tick.report()
    second_start.report()


main()
