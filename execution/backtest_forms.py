"""The form of a backtest: what a subscription settles, the days to try it on, and what is assumed."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.forms import BoundField
from django.utils import timezone

from bots.models import BotVersion
from exchanges.models import Market, Timeframe
from exchanges.templatetags.amounts import plain
from execution.backtest_requests import SETTLING, Wish
from execution.models import Backtest
from subscriptions.forms import (
    MARKET_FIELDS,
    AmountField,
    TradingForm,
    initial_settings,
    proposed_timeframe,
)
from subscriptions.lifecycle import find_market

DAYS_AT_FIRST = 90
ASSUMPTION_FIELDS = ("fill_at", "slippage_percent", "detail_timeframe", "is_strict")
FIELDS_OF_WISHES = {"begins_at": "begins_on", "ends_at": "ends_on"}  # where a wish's problem is shown
A_DAY = timedelta(days=1)
FIRST_DAY, LAST_DAY = date(2010, 1, 1), date(2100, 1, 1)  # no exchange has older candles


class DayField(forms.DateField):
    """A day in UTC, in the browser's own calendar."""

    def __init__(self, **kwargs: Any) -> None:
        day = "Enter a day, such as 2026-01-31."
        super().__init__(
            widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            input_formats=["%Y-%m-%d"],
            error_messages={"required": day, "invalid": day},
            validators=[MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)],
            **kwargs,
        )


class BacktestForm(TradingForm):
    """What one backtest of a bot is to try; `versions` are those that may be chosen."""

    field_order = (*MARKET_FIELDS, "begins_on", "ends_on", "version", "capital")

    begins_on = DayField(label="From", help_text="The first day, in UTC.")
    ends_on = DayField(label="To", help_text="The last day, which has to be over.")
    version = forms.CharField(
        label="Version", help_text="Its own parameters are shown when you choose another one."
    )
    capital = AmountField(
        label="Capital", initial=10_000, help_text="In the pair's quote currency (USDT in BTC/USDT)."
    )
    fill_at = forms.CharField(
        label="Market orders fill",
        initial=Backtest.FillAt.NEXT_OPEN,
        widget=forms.Select(choices=Backtest.FillAt.choices),
        help_text="The bot decides at a candle's close; the open after it is the first price that an order "
        "can get.",
    )
    slippage_percent = AmountField(
        label="Slippage",
        initial=Decimal("0.05"),
        help_text="% worse than that price, from 0 to 10, beside the market's fee.",
    )
    detail_timeframe = forms.CharField(
        label="Inside a candle",
        required=False,
        widget=forms.Select(choices=[("", "The worst order of its prices"), *Timeframe.choices]),
        help_text="Candles of a smaller timeframe tell whether a stop or a target came first.",
    )
    is_strict = forms.BooleanField(
        label="Release candles one by one",
        required=False,
        help_text="The bot's process gets each candle after its answer for the one before. Slower, with the "
        "same result for an honest bot.",
    )

    def __init__(self, *args: Any, versions: list[BotVersion], version: BotVersion, **kwargs: Any) -> None:
        super().__init__(*args, version=version, **kwargs)
        last = (timezone.now() - SETTLING).date() - A_DAY
        self.numbers = [each.number for each in versions]
        self.fields["version"].widget = forms.Select(choices=[(each, each) for each in self.numbers])
        self.fields["version"].initial = version.number
        self.fields["timeframe"].initial = proposed_timeframe(version.bot, usual=Timeframe.H1)
        self.fields["begins_on"].initial = last - (DAYS_AT_FIRST - 1) * A_DAY
        self.fields["ends_on"].initial = last
        self.fields["ends_on"].widget.attrs["max"] = last.isoformat()

    def period_fields(self) -> list[BoundField]:
        return [self["begins_on"], self["ends_on"]]

    def assumption_fields(self) -> list[BoundField]:
        return [self[name] for name in ASSUMPTION_FIELDS]

    @property
    def has_wrong_assumption(self) -> bool:
        return any(name in self.errors for name in ASSUMPTION_FIELDS)

    def clean_version(self) -> str:
        number = str(self.cleaned_data["version"])
        if number not in self.numbers:
            raise forms.ValidationError(f"Choose one of {', '.join(self.numbers)}, not {number!r}.")
        return number

    def clean(self) -> dict[str, Any]:
        problems: dict[str, str] = {}
        if {"exchange_type", "trading_pair"} <= self.cleaned_data.keys():
            exchange, pair = self.cleaned_data["exchange_type"], self.cleaned_data["trading_pair"]
            self.market = find_market(exchange, pair, problems)
            self.show(problems)
        return self.cleaned_data

    @property
    def wish(self) -> Wish:
        """The cleaned form as what `backtest_requests.request` takes."""
        data, market = self.cleaned_data, self.market
        assert isinstance(market, Market)
        return Wish(
            market=market,
            timeframe=data["timeframe"],
            begins_at=_midnight(data["begins_on"]),
            ends_at=_midnight(data["ends_on"]) + A_DAY,
            capital=data["capital"],
            **self.configs,
            **{name: data[name] for name in ASSUMPTION_FIELDS},
        )

    def show(self, problems: Mapping[str, str]) -> None:
        super().show({FIELDS_OF_WISHES.get(name, name): problem for name, problem in problems.items()})


def values_of(backtest: Backtest) -> dict[str, Any]:
    """Return what the form was filled in with for this backtest. Select its version and market beforehand."""
    return {
        **{name: getattr(backtest, name) for name in ("timeframe", *ASSUMPTION_FIELDS)},
        "exchange_type": backtest.market.exchange,
        "trading_pair": backtest.market.trading_pair,
        "begins_on": backtest.begins_at.date(),
        "ends_on": backtest.last_at.date(),
        "version": backtest.version.number,
        "capital": plain(backtest.capital),
        "slippage_percent": plain(backtest.slippage_percent),
        **initial_settings(
            strategy_config=backtest.strategy_config,
            execution_config=backtest.execution_config,
            risk_config=backtest.risk_config,
        ),
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
