"""Numbers as people read them: never in scientific notation, digits grouped by a narrow space.

Every filter takes a Decimal, an int or a float; None, what is not finite and what has no readable length
become a dash.
Nothing here is for computing: the results are text, with characters that no parser expects.
"""

from decimal import ROUND_HALF_EVEN, Context, Decimal

from django import template

register = template.Library()

NOTHING = "–"
GROUP_SPACE = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
AMOUNT_PLACES = 8
MONEY_PLACES = 2
SIGNIFICANT_DIGITS = 4  # that a value below one keeps, so that a small price is not shown as zero
LONGEST_NUMBER = 36  # digits before or after the point; beyond lies only what a bot made up
ROUNDING = Context(prec=80, rounding=ROUND_HALF_EVEN)  # wide enough for a column of 20 and 18 digits

type Number = Decimal | int | float


@register.filter
def plain(value: Number | None) -> str:
    """Return every digit and no more: 1E-8 is "0.00000001", 5.00 is "5"; no grouping."""
    number = _number(value)
    return NOTHING if number is None else _trimmed(f"{number:f}")


@register.filter
def amount(value: Number | None, unit: str = "") -> str:
    """Return an amount with up to 8 places, more where it would otherwise look like zero; then the unit."""
    number = _number(value)
    if number is None:
        return NOTHING
    places = max(AMOUNT_PLACES, _places_that_matter(number))
    return _with_unit(_grouped(_trimmed(_rounded(number, places))), unit)


@register.filter
def money(value: Number | None, currency: str = "") -> str:
    """Return a value in quote currency with 2 places, more below one; then the currency.

    1234.5 is "1 234.50", 0.00001234567 is "0.00001235".
    """
    number = _number(value)
    return NOTHING if number is None else _with_unit(_money_text(number), currency)


@register.filter
def price(value: Number | None, tick: Number) -> str:
    """Return a price with as many places as the market's `tick` has, at least 2."""
    number, step = _number(value), _number(tick)
    if number is None or step is None:
        return NOTHING
    places = max(MONEY_PLACES, _decimals(_trimmed(f"{step:f}")))
    return _grouped(_rounded(number, places))


@register.filter
def percent(value: Number | None) -> str:
    """Return 5 as "5 %" and 2.504 as "2.5 %"."""
    number = _number(value)
    return NOTHING if number is None else _with_unit(_grouped(_trimmed(_rounded(number, 2))), "%")


@register.filter
def signed(value: Number | None, currency: str = "") -> str:
    """Return money that always shows its sign, except for zero; pair it with `tone` for the color."""
    number = _number(value)
    if number is None:
        return NOTHING
    return _with_unit(_plus(number) + _money_text(number), currency)


@register.filter
def signed_percent(value: Number | None) -> str:
    """Return 2.5 as "+2.50 %"."""
    number = _number(value)
    if number is None:
        return NOTHING
    rounded = round(number, 2)
    return _with_unit(_plus(rounded) + _grouped(_rounded(rounded, 2)), "%")


@register.filter
def tone(value: Number | None) -> str:
    """Return the CSS class of a profit, a loss, or neither."""
    number = _number(value)
    if not number:
        return "text-secondary"
    return "text-gain" if number > 0 else "text-loss"


def _number(value: Number | None) -> Decimal | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, Decimal | int | float):
        raise TypeError(f"Expected a Decimal, int or float to format, got {value!r}.")
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    is_shown = number.is_finite() and abs(number.adjusted()) < LONGEST_NUMBER
    return number if is_shown else None


def _rounded(number: Decimal, places: int) -> str:
    text = f"{number.quantize(Decimal(1).scaleb(-places), context=ROUNDING):f}"
    return text.removeprefix("-") if not text.strip("-0.") else text


def _places_that_matter(number: Decimal) -> int:
    return 0 if not number else SIGNIFICANT_DIGITS - 1 - number.adjusted()


def _money_text(number: Decimal) -> str:
    if abs(number) >= 1:
        return _grouped(_rounded(number, MONEY_PLACES))
    whole, _, fraction = _rounded(number, max(MONEY_PLACES, _places_that_matter(number))).partition(".")
    return _grouped(f"{whole}.{fraction.rstrip('0').ljust(MONEY_PLACES, '0')}")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimals(text: str) -> int:
    return len(text.partition(".")[2])


def _grouped(text: str) -> str:
    whole, point, fraction = text.removeprefix("-").partition(".")
    sign = MINUS if text.startswith("-") else ""
    return f"{sign}{int(whole):,}".replace(",", GROUP_SPACE) + point + fraction


def _plus(number: Decimal) -> str:
    return "+" if number > 0 else ""


def _with_unit(text: str, unit: str) -> str:
    return f"{text}{GROUP_SPACE if unit == '%' else '\N{NO-BREAK SPACE}'}{unit}" if unit else text
