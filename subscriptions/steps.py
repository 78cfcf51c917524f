"""The steps in which a new subscription is entered, and which of the form's fields each one has."""

from dataclasses import dataclass

from bots.models import BotVersion
from subscriptions.forms import MARKET_FIELDS, ORDER_TYPE_FIELDS, RISK_FIELDS, SIZING_FIELDS
from subscriptions.lifecycle import STRATEGY_PREFIX


@dataclass(frozen=True, slots=True)
class Step:
    """One page of the form; `name` is in its address."""

    name: str
    title: str
    fields: tuple[str, ...]


def steps_of(version: BotVersion) -> list[Step]:
    """Return the steps for this version of a bot, in order; one without parameters has no step for them."""
    parameters = tuple(STRATEGY_PREFIX + parameter.name for parameter in version.declared_parameters)
    steps = [
        Step("account", "Account", ("account",)),
        Step("market", "Market", MARKET_FIELDS),
        Step("parameters", "Parameters", parameters),
        Step("capital", "Capital", ("allocated_capital", *SIZING_FIELDS, *ORDER_TYPE_FIELDS)),
        Step("risk", "Risk", RISK_FIELDS),
        Step("review", "Review", ()),
    ]
    return [step for step in steps if step.fields or step.name == "review"]
