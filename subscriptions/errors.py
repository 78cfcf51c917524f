class SubscriptionError(Exception):
    """A request that a subscription's present state does not allow; the text is for the trader."""


class StaffDoNotTrade(SubscriptionError):
    """Somebody on staff who wants to subscribe; the text is for them."""


class BeginsWithoutRealMoney(SubscriptionError):
    """Somebody who wants to begin with real money, which is a later step; the text is for them."""


class WidensRealMoney(SubscriptionError):
    """Somebody who lets real money do more and has not just shown who they are; the text is for them."""


class MayNotReview(SubscriptionError):
    """Somebody whose opinion of a bot does not count, or who may not judge it; the text is for them."""
