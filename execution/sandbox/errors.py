"""What can go wrong on our side of the jail."""

from bot_sdk.runner import RunUnavailable


class SandboxUnavailable(RunUnavailable):
    """Bots cannot be confined here, so none may run; the message says what to install or switch on."""
