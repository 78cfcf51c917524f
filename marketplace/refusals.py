"""How refused requests are logged: in a line each. A traceback would tell of nothing that is broken."""

import logging


def without_traceback(record: logging.LogRecord) -> bool:
    """Let each record pass, what is below an error without where it was raised. A filter for logging."""
    if record.levelno < logging.ERROR:
        record.exc_info = None
    return True
