"""Django's PostgreSQL, whose connections are looked at before each request and seldom asked.

`CONN_HEALTH_CHECKS` has Django ask each connection whether it still works, a round trip per request. A server
that ends a connection says so on it, which costs no round trip to see. What ends without a word, as when a
machine loses its power, is found as before, by asking.
"""

from select import POLLIN, poll
from time import monotonic

from django.db.backends.postgresql import base
from psycopg import Connection
from psycopg.pq import TransactionStatus

SEEN_TO_WORK_SECONDS = 1.0  # after an answer, while nothing else is heard


class DatabaseWrapper(base.DatabaseWrapper):
    answered_at = float("-inf")

    def is_usable(self) -> bool:
        now = monotonic()
        has_just_answered = now < self.answered_at + SEEN_TO_WORK_SECONDS and not self.errors_occurred
        if has_just_answered and self.connection and _is_idle(self.connection):
            return True
        is_usable = super().is_usable()
        if is_usable:
            self.answered_at = now
        return is_usable


def _is_idle(connection: Connection) -> bool:
    """Whether nothing is unfinished on it, and nobody has said anything on it, such as that it ends."""
    if connection.info.transaction_status != TransactionStatus.IDLE:  # nor is it when it is closed
        return False
    heard = poll()
    heard.register(connection.fileno(), POLLIN)
    return not heard.poll(0)
