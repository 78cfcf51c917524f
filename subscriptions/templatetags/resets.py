"""The way back of a single field to what its form proposes."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django import template
from django.forms import BooleanField, BoundField, Select

from subscriptions.forms import SettingsForm

register = template.Library()


@dataclass(frozen=True, slots=True)
class Reset:
    """What a button brings back; `value` is what the box then holds: a tick holds "on" or nothing."""

    value: str
    words: str
    is_needed: bool


@register.filter
def reset(field: BoundField) -> Reset | None:
    """Return the way back to what is proposed for a field of settings; None where there is none."""
    control = field.field
    if not isinstance(field.form, SettingsForm) or control.disabled:
        return None
    proposed, entered = control.prepare_value(control.initial), field.value()
    if isinstance(control, BooleanField):
        words = "on" if proposed else "off"
        return Reset("on" if proposed else "", words, bool(proposed) != bool(entered))
    value = _text(proposed)
    words = value or "empty"
    if isinstance(control.widget, Select):
        labels = {_text(choice): label for choice, label in control.widget.choices}
        if value not in labels:  # as when an account's exchange is the only choice
            return None
        words = str(labels[value]) if value else words
    return Reset(value, words, not _is_same(value, _text(entered)))


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _is_same(one: str, other: str) -> bool:
    """Whether two boxes say the same: 5.0 is 5."""
    try:
        return one == other or Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False
