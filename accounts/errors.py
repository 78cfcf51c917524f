"""What the app's operations raise; each message says what to do."""


class DeliveryFailed(Exception):
    """A notification did not arrive: it is tried again later. The message is for its reader."""


class AddressRefused(DeliveryFailed):
    """An address that we do not send to: it has to be another one."""
