"""A subscription's settings in the words of its form, and how two of them differ."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from django import forms

from bot_sdk.configs import PERCENTAGE, RiskConfig
from bots.models import BotVersion
from exchanges.templatetags.amounts import GROUP_SPACE, NOTHING, percent, plain
from subscriptions.forms import ORDER_TYPE_FIELDS, RISK_FIELDS, SIZING_FIELDS, SettingsForm, parameter_label
from subscriptions.lifecycle import STRATEGY_PREFIX

OFF = "off"
UNITS = {
    "limit_offset_percent": "%",
    "limit_timeout_seconds": "s",
    "stop_loss_percent": "%",
    "trailing_stop_percent": "%",
    "take_profit_percent": "%",
    "max_position_size": "%",
    "max_daily_loss_percent": "%",
    "max_drawdown_percent": "%",
    "cool_down_minutes": "min",
}


@dataclass(frozen=True, slots=True)
class Settings:
    """How a subscription trades, as far as its trader may change it; the documents as they are stored."""

    version: BotVersion
    strategy_config: Mapping[str, Any]
    execution_config: Mapping[str, Any]
    risk_config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting in words, before and after a change; a dash where there was, or is, none."""

    label: str
    old: str
    new: str

    def to_dict(self) -> dict[str, str]:
        """Return it as JSON can carry it."""
        return asdict(self)


def differences(old: Settings, new: Settings) -> list[Difference]:
    """Return what differs, in the order of the form."""
    before, after = in_words(old), in_words(new)
    names = [*after, *(name for name in before if name not in after)]
    nowhere = ("", NOTHING)
    found = []
    for name in names:
        (old_label, was), (label, will_be) = before.get(name, nowhere), after.get(name, nowhere)
        if was != will_be:
            found.append(Difference(label or old_label, was, will_be))
    return found


def in_words(settings: Settings) -> dict[str, tuple[str, str]]:
    """Return label and value of every setting, by the name of its field."""
    version, strategy, execution = settings.version, settings.strategy_config, settings.execution_config
    return {
        "version": ("Version", version.number),
        "warm_up": ("Candles before the first decision", str(version.warm_up)),
        **{
            STRATEGY_PREFIX + each.name: (parameter_label(each), _words(strategy.get(each.name)))
            for each in version.declared_parameters
        },
        **{
            name: (_label(name), _sizing_words(name, execution))
            for name in (*SIZING_FIELDS, *ORDER_TYPE_FIELDS)
        },
        **{name: (_label(name), _limit_words(name, settings.risk_config.get(name))) for name in RISK_FIELDS},
    }


def limits_in_words(risk: RiskConfig, names: list[str]) -> list[tuple[str, str]]:
    """Return label and value of these limits."""
    return [(_label(name), _limit_words(name, getattr(risk, name))) for name in names]


def _label(name: str) -> str:
    return str(SettingsForm.base_fields[name].label)


def _sizing_words(name: str, execution: Mapping[str, Any]) -> str:
    field, value = SettingsForm.base_fields[name], execution.get(name)
    if isinstance(field.widget, forms.Select):
        return str(dict(field.widget.choices).get(value or field.initial or "", value))
    if value is None:
        return NOTHING
    # a size is of the type that its neighbor names
    is_percentage = execution.get(name.replace("_value", "_type")) == PERCENTAGE
    return percent(value) if is_percentage else _with_unit(name, value)


def _limit_words(name: str, value: Any) -> str:
    return OFF if value is None else _with_unit(name, value)


def _with_unit(name: str, value: Any) -> str:
    return f"{plain(value)}{GROUP_SPACE}{UNITS[name]}" if name in UNITS else plain(value)


def _words(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "on" if value else OFF
    return value if isinstance(value, str) else plain(value)
