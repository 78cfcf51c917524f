"""A pytest plugin: processes that share the tests share the servers too, each with data of its own.

pytest-django gives each process its database; here each gets its numbered one in the broker. It has to be
loaded before the settings are read, by `-p tests.own_broker`.
"""

import os
from urllib.parse import urlsplit

_worker = os.environ.get("PYTEST_XDIST_WORKER", "")
if _worker and "REDIS_URL" in os.environ:
    # gw0 is the first of them; number 0 is left to runs in one process
    _number = int(_worker.removeprefix("gw")) + 1
    os.environ["REDIS_URL"] = urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{_number}").geturl()
