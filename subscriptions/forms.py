"""The forms of a new subscription and of its settings, and what any form has that settles how a bot trades.

It is made from the bot version's declared parameters, and turns text into numbers and words and nothing
more: which of them are acceptable is known to `lifecycle.subscribe`, whose problems come back by field name.
"""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.conf import settings
from django.db.models import QuerySet
from django.forms import BoundField

from bot_sdk.configs import ALL, CANCEL, FIXED, LIMIT, MARKET, PERCENTAGE
from bot_sdk.effective_limits import LARGER_IS_STRICTER
from bot_sdk.parameters import Parameter
from bots.models import Bot, BotVersion
from exchanges.models import Exchange, ExchangeAccount, Market, Timeframe
from exchanges.templatetags.amounts import plain
from subscriptions.lifecycle import STRATEGY_PREFIX
from subscriptions.platform_limits import platform_limits

MARKET_FIELDS = ("exchange_type", "trading_pair", "timeframe")
SIZING_FIELDS = ("buy_order_type", "buy_order_value", "sell_order_type", "sell_order_value")
ORDER_TYPE_FIELDS = ("order_type", "limit_offset_percent", "limit_timeout_seconds", "limit_timeout_action")
RISK_FIELDS = (
    "stop_loss_percent",
    "trailing_stop_percent",
    "take_profit_percent",
    "max_position_size",
    "max_daily_loss_percent",
    "max_drawdown_percent",
    "cool_down_minutes",
    "max_orders_per_day",
)

BUY_ORDER_LABELS = (
    (PERCENTAGE, "% of the allocated capital"),
    (FIXED, "Fixed amount of quote currency"),
    (ALL, "All of the free balance"),
)
SELL_ORDER_LABELS = ((ALL, "All of the position"), (PERCENTAGE, "% of the position"))
ORDER_TYPE_LABELS = (
    (MARKET, "Market orders, filled at once"),
    (LIMIT, "Limit orders, which wait for their price"),
)
LIMIT_TIMEOUT_LABELS = (("", "–"), (CANCEL, "Canceled"), (MARKET, "Sent as a market order"))
PAIRS_SHOWN = 30  # suggestions; typing narrows them
LONGEST_INTEGER = 18  # digits; longer ones are exact neither in JSON readers nor in a bot's frames


class AmountField(forms.DecimalField):
    """An exact number that fits the database's amounts; a text box, so that nothing typed is lost."""

    def __init__(self, **kwargs: Any) -> None:
        number = "Enter a number, such as 10 or 2.5."
        fits = "Enter a number with at most 20 digits before the point and 18 after it."
        super().__init__(
            max_digits=38,
            decimal_places=18,
            widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
            error_messages={
                "required": number,
                "invalid": number,
                "max_digits": fits,
                "max_decimal_places": fits,
                "max_whole_digits": fits,
            },
            **kwargs,
        )

    def prepare_value(self, value: Any) -> Any:
        return f"{value.normalize():f}" if isinstance(value, Decimal) else value


class AccountField(forms.ModelChoiceField):
    """One of a person's own accounts, or paper."""

    default_error_messages = {"invalid_choice": "Choose one of your accounts."}

    def label_from_instance(self, obj: ExchangeAccount) -> str:
        return f"{obj.label} · {obj.get_exchange_display()} · {obj.get_environment_display()}"


class WholeNumberField(forms.IntegerField):
    """A whole number in a text box; `example` is one that the message on wrong input names."""

    def __init__(self, *, example: int, **kwargs: Any) -> None:
        message = f"Enter a whole number, such as {example}."
        largest = 10**LONGEST_INTEGER - 1
        super().__init__(
            min_value=-largest,
            max_value=largest,
            widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
            error_messages={"required": message, "invalid": message},
            **kwargs,
        )


class NumberField(forms.FloatField):
    """A number of a bot's own, with no more digits than it needs: 30 and not 30.0."""

    def prepare_value(self, value: Any) -> Any:
        return plain(value) if isinstance(value, float) else value


class SettingsForm(forms.Form):
    """Strategy, sizing and risk: what a trader settles of `version` of a bot, and may change later."""

    buy_order_type = forms.CharField(
        label="Each buy spends", initial=PERCENTAGE, widget=forms.Select(choices=BUY_ORDER_LABELS)
    )
    buy_order_value = AmountField(
        label="Size of a buy",
        initial=10,
        required=False,
        help_text="10 is 10 % of the subscription's allocated capital, or 10 in quote currency when the "
        "amount is fixed. Empty when each buy spends all.",
    )
    sell_order_type = forms.CharField(
        label="Each sell sells", initial=ALL, widget=forms.Select(choices=SELL_ORDER_LABELS)
    )
    sell_order_value = AmountField(
        label="Size of a sell",
        required=False,
        help_text="50 is 50 % of the subscription's own position. Empty when each sell sells all.",
    )
    order_type = forms.CharField(
        label="Orders are sent as",
        initial=MARKET,
        widget=forms.Select(choices=ORDER_TYPE_LABELS),
        help_text="The bot's own orders. What your risk limits sell is always sold at once.",
    )
    limit_offset_percent = AmountField(
        label="Distance of the limit",
        required=False,
        help_text="% below the bid when buying, above the ask when selling, from 0 to 10. Empty is 0. "
        "Only for limit orders.",
    )
    limit_timeout_seconds = WholeNumberField(
        label="Longest wait",
        example=60,
        required=False,
        help_text="Seconds that a limit order stays open, from 10 to 86400. Empty is 60.",
    )
    limit_timeout_action = forms.CharField(
        label="After that, the rest is",
        required=False,
        empty_value=None,
        widget=forms.Select(choices=LIMIT_TIMEOUT_LABELS),
        help_text="Of a limit order that is not filled in full by then. Empty is canceled.",
    )

    stop_loss_percent = AmountField(
        label="Stop loss",
        initial=5,
        required=False,
        help_text="% below the average entry price: there the whole position is sold.",
    )
    trailing_stop_percent = AmountField(
        label="Trailing stop",
        required=False,
        help_text="% below the highest price since the position was opened: there the whole of it is sold.",
    )
    take_profit_percent = AmountField(
        label="Take profit",
        initial=10,
        required=False,
        help_text="% above the average entry price: there the whole position is sold.",
    )
    max_position_size = AmountField(
        label="Largest position",
        initial=20,
        required=False,
        help_text="% of the allocated capital that the position's value may reach by buying.",
    )
    max_daily_loss_percent = AmountField(
        label="Largest loss per day",
        required=False,
        help_text="% of the allocated capital. After that nothing is bought until midnight UTC.",
    )
    max_drawdown_percent = AmountField(
        label="Largest drawdown",
        required=False,
        help_text="% below the highest equity so far: there the whole position is sold, and nothing is "
        "bought until you lift the halt.",
    )
    cool_down_minutes = WholeNumberField(
        label="Cool-down",
        example=30,
        required=False,
        help_text="Minutes without buying after a sale at a loss, 10080 (a week) at most.",
    )
    max_orders_per_day = WholeNumberField(
        label="Orders per day",
        example=10,
        required=False,
        help_text="After so many orders, buys and sells together, nothing is bought until midnight UTC; "
        "1000 at most.",
    )

    def __init__(self, *args: Any, version: BotVersion, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.parameters = version.declared_parameters
        bounds = platform_limits()
        for name in RISK_FIELDS:
            field = self.fields[name]
            field.help_text = f"{field.help_text} {_bound(name, getattr(bounds, name))}".rstrip()
            if version.risk_defaults:
                field.initial = _number(version.risk_defaults.get(name))
        for parameter in self.parameters:
            self.fields[STRATEGY_PREFIX + parameter.name] = _parameter_field(parameter)

    def strategy_fields(self) -> list[BoundField]:
        return [self[STRATEGY_PREFIX + parameter.name] for parameter in self.parameters]

    def sizing_fields(self) -> list[BoundField]:
        return [self[name] for name in SIZING_FIELDS]

    def order_type_fields(self) -> list[BoundField]:
        return [self[name] for name in ORDER_TYPE_FIELDS]

    @property
    def has_wrong_order_type(self) -> bool:
        return any(name in self.errors for name in ORDER_TYPE_FIELDS)

    def risk_fields(self) -> list[BoundField]:
        return [self[name] for name in RISK_FIELDS]

    @property
    def configs(self) -> dict[str, Any]:
        """The cleaned form's documents, named as operations and models name them."""
        data = self.cleaned_data
        names = [parameter.name for parameter in self.parameters]
        return {
            "strategy_config": {name: data[STRATEGY_PREFIX + name] for name in names},
            "execution_config": {name: data[name] for name in (*SIZING_FIELDS, *ORDER_TYPE_FIELDS)},
            "risk_config": {name: data[name] for name in RISK_FIELDS},
        }

    def show(self, problems: Mapping[str, str]) -> None:
        """Put each problem of a ConfigError at the field it names, and any other above the form."""
        for name, message in problems.items():
            is_field = name in self.fields
            self.add_error(name if is_field else None, message if is_field else f"{name}: {message}")

    def keep_errors_of(self, names: Collection[str]) -> None:
        """Drop what is wrong elsewhere; a step shows its own problems only."""
        for name in set(self.errors) - set(names):
            del self.errors[name]

    def reset(self, name: str) -> None:
        """Put a field of the sent form back to what is proposed for it; all else stays as it was entered.

        A name that the form does not have changes nothing.
        """
        if name in self.fields:
            field = self.fields[name]
            field.widget.attrs["autofocus"] = True
            self.data = dict(self.data.items()) | {name: field.prepare_value(field.initial)}
            self.full_clean()


class TradingForm(SettingsForm):
    """Market, strategy, sizing and risk: how `version` of a bot is to trade."""

    field_order: Sequence[str] = MARKET_FIELDS

    exchange_type = forms.CharField(label="Exchange", widget=forms.Select)
    trading_pair = forms.CharField(
        label="Trading pair",
        initial="BTC/USDT",
        max_length=32,
        help_text="Base and quote currency. Type to see the pairs that this exchange offers.",
        error_messages={"required": "Enter a trading pair, such as BTC/USDT."},
    )
    timeframe = forms.CharField(
        widget=forms.Select(choices=Timeframe.choices),
        help_text="The bot decides once, at the close of each candle.",
    )

    def __init__(self, *args: Any, version: BotVersion, **kwargs: Any) -> None:
        super().__init__(*args, version=version, **kwargs)
        exchanges = Market.objects.tradable().order_by("exchange").values_list("exchange", flat=True)
        self.fields["exchange_type"].initial = settings.DEFAULT_EXCHANGE
        self.fields["trading_pair"].initial = (
            _proposed_pair(version.bot) or self.fields["trading_pair"].initial
        )
        self.fields["exchange_type"].widget = forms.Select(
            choices=[(name, Exchange(name).label) for name in exchanges.distinct()]
        )
        self.fields["trading_pair"].widget.attrs |= {"list": "trading-pairs", "autocomplete": "off"}

    def clean_trading_pair(self) -> str:
        return str(self.cleaned_data["trading_pair"]).upper()

    def market_fields(self) -> list[BoundField]:
        return [self[name] for name in MARKET_FIELDS]

    def pairs(self) -> list[str]:
        """Return what is suggested as a trading pair before anything is typed."""
        return PairSearchForm({"exchange_type": self["exchange_type"].value()}).pairs()


class SubscribeForm(TradingForm):
    """A new subscription to `version`: what was `entered` by field, and what the form proposes beside it.

    `accounts` are those that the trader may choose.
    """

    field_order = (*MARKET_FIELDS, "account", "allocated_capital")

    account = AccountField(
        label="Account",
        required=False,
        blank=True,
        widget=forms.RadioSelect,
        queryset=ExchangeAccount.objects.none(),
        empty_label="Paper account",
    )
    allocated_capital = AmountField(
        label="Allocated capital",
        initial=10_000,
        help_text="What this subscription may use and nothing else may, in the pair's quote currency "
        "(USDT in BTC/USDT). Profits stay in it.",
    )

    def __init__(
        self,
        entered: Mapping[str, Any],
        *,
        version: BotVersion,
        accounts: QuerySet[ExchangeAccount],
    ) -> None:
        super().__init__({}, version=version)
        account = self.fields["account"]
        assert isinstance(account, AccountField)
        account.queryset = accounts
        usual = Timeframe.M1 if settings.DEMO else Timeframe.H1
        self.fields["timeframe"].initial = proposed_timeframe(version.bot, usual=usual)
        proposed = {name: field.prepare_value(field.initial) for name, field in self.fields.items()}
        self.data = {name: value for name, value in proposed.items() if value is not None} | dict(entered)

    def clean(self) -> dict[str, Any]:
        """Have the exchange follow the account that is chosen."""
        account = self.cleaned_data.get("account")
        if account is not None:
            self.cleaned_data["exchange_type"] = account.exchange
            self.data = {**self.data, "exchange_type": account.exchange}
            exchange = self.fields["exchange_type"]
            exchange.widget = forms.Select(choices=[(account.exchange, account.get_exchange_display())])
            exchange.help_text = f"That of {account.label}."
        return self.cleaned_data

    def account_fields(self) -> list[BoundField]:
        return [self["account"]]

    @property
    def choices(self) -> dict[str, Any]:
        """The cleaned form as the arguments that `lifecycle.subscribe` takes beside trader and bot."""
        data = self.cleaned_data
        return {
            **{name: data[name] for name in (*MARKET_FIELDS[1:], "account", "allocated_capital")},
            "exchange": data["exchange_type"],
            **self.configs,
        }


class PairSearchForm(forms.Form):
    """What the list of suggested pairs is narrowed by."""

    exchange_type = forms.CharField(max_length=16)
    trading_pair = forms.CharField(max_length=32, required=False)

    def pairs(self) -> list[str]:
        """Return pairs of the chosen exchange that begin with what is typed; none for nonsense."""
        if not self.is_valid():
            return []
        found = Market.objects.tradable().filter(
            exchange=self.cleaned_data["exchange_type"],
            trading_pair__istartswith=self.cleaned_data["trading_pair"],
        )
        return list(found.order_by("trading_pair").values_list("trading_pair", flat=True)[:PAIRS_SHOWN])


def initial_settings(
    *, strategy_config: Mapping[str, Any], execution_config: Mapping[str, Any], risk_config: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what a form was filled in with that gave these documents."""
    configs = {**execution_config, **risk_config}
    return {
        # what is off is empty, whatever the form begins with otherwise
        **dict.fromkeys((*SIZING_FIELDS, *RISK_FIELDS)),
        **{name: plain(value) if isinstance(value, float) else value for name, value in configs.items()},
        **{STRATEGY_PREFIX + name: value for name, value in strategy_config.items()},
    }


def proposed_timeframe(bot: Bot, *, usual: str) -> str:
    """Return the usual timeframe, or the shortest that the bot was made for if that is not among them."""
    return usual if not bot.timeframes or usual in bot.timeframes else str(bot.timeframes[0])


def revision_in(sent: Mapping[str, str]) -> int:
    """Return the revision that a page was made from; -1, which nothing has, for nonsense."""
    text = sent.get("revision", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < LONGEST_INTEGER else -1


def parameter_label(parameter: Parameter) -> str:
    return parameter.label or parameter.name.replace("_", " ").capitalize()


def _proposed_pair(bot: Bot) -> str | None:
    """Return the first pair that the bot was made for and the default exchange offers; None without one."""
    if not bot.trading_pairs:
        return None
    offered = Market.objects.tradable().filter(exchange=settings.DEFAULT_EXCHANGE)
    found = set(offered.filter(trading_pair__in=bot.trading_pairs).values_list("trading_pair", flat=True))
    return next((pair for pair in bot.trading_pairs if pair in found), None)


def _parameter_field(parameter: Parameter) -> forms.Field:
    shared: dict[str, Any] = {
        "label": parameter_label(parameter),
        "initial": parameter.default,
        "help_text": " ".join(filter(None, [parameter.help_text, _range(parameter)])),
    }
    if parameter.type == "boolean":
        return forms.BooleanField(required=False, **shared)
    if parameter.type == "choice":
        options = [(choice, choice) for choice in parameter.choices]
        return forms.CharField(widget=forms.Select(choices=options), **shared)
    if parameter.type == "integer":
        return WholeNumberField(example=14, **shared)
    message = "Enter a number, such as 2.5."
    return NumberField(
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
        error_messages={"required": message, "invalid": message},
        **shared,
    )


def _range(parameter: Parameter) -> str:
    """Say which values are allowed and what the default is, in one sentence."""
    low, high = _number(parameter.minimum), _number(parameter.maximum)
    default = parameter.default
    if parameter.type == "boolean":
        default = "on" if parameter.default else "off"
    elif isinstance(default, float):
        default = plain(default)
    if low and high:
        return f"From {low} to {high}; default {default}."
    if low:
        return f"{low} or more; default {default}."
    if high:
        return f"{high} or less; default {default}."
    return f"Default {default}."


def _bound(name: str, platform: Decimal | int | None) -> str:
    """Say what an empty risk limit, or one weaker than the platform's, means; nothing where that has none."""
    if platform is None:
        return ""
    weaker = "smaller" if name in LARGER_IS_STRICTER else "larger"
    return f"The platform's limit is {_number(platform)}: it holds when this is {weaker} or empty."


def _number(bound: Decimal | float | None) -> str:
    return "" if bound is None else f"{Decimal(str(bound)).normalize():f}"
