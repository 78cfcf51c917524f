class SubscriptionError(Exception):
    """A request that a subscription's present state does not allow; the text is for the trader."""
