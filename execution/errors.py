class OrderError(Exception):
    """A request that an order's present state does not allow; the text is for staff."""
