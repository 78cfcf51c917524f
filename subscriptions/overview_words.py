"""A new subscription in words, before it is started."""

from bot_sdk.effective_limits import Source
from exchanges.templatetags.amounts import NOTHING, money
from subscriptions.models import Subscription
from subscriptions.setting_words import Settings, in_words, limits_in_words
from subscriptions.steps import Step


def overview(planned: Subscription, steps: list[Step]) -> list[tuple[Step, list[tuple[str, str]]]]:
    """Return label and value of what each step settled; what does not apply is left out."""
    settled = in_words(Settings(version=planned.version, **planned.documents))
    settled |= {
        "account": ("Account", planned.account_name),
        "exchange_type": ("Exchange", planned.market.get_exchange_display()),
        "trading_pair": ("Trading pair", planned.market.trading_pair),
        "timeframe": ("Decides at the close of each", f"candle of {planned.get_timeframe_display()}"),
        "allocated_capital": ("Capital", money(planned.allocated_capital, planned.market.quote)),
    }
    for limit in planned.limits_in_force:
        if limit.source == Source.PLATFORM:
            [(label, value)] = limits_in_words(planned.risk, [limit.name])
            settled[limit.name] = (label, f"{value}, the platform's limit")
    return [
        (step, [settled[name] for name in step.fields if settled[name][1] != NOTHING])
        for step in steps
        if step.fields
    ]
