"""Database columns for amounts and prices."""

from typing import Any

from django.db import models


class AmountField(models.DecimalField):
    """An amount, price or cost: 20 digits before the point and 18 after it, exact."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_digits", 38)
        kwargs.setdefault("decimal_places", 18)
        super().__init__(*args, **kwargs)
