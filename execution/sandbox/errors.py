"""What can go wrong on our side of the jail."""


class SandboxUnavailable(RuntimeError):
    """Bots cannot be confined here, so none may run; the message says what to install or switch on."""


class AccountNeeded(Exception):
    """A run that several subscriptions share asked about the account: each needs its own."""
