"""What a bot developer has on their own machine, and the pure trading core that the platform shares.

A bot is one Python file with one subclass of `CustomBot` whose `execute_algorithm` returns an `Action`.
`python -m bot_sdk run mybot.py candles.csv` runs it without the platform and with the platform's numbers.
Importing this package needs numpy and pandas only; indicators are computed by `bot_sdk.indicators`.
"""

from bot_sdk.action import Action
from bot_sdk.bot import CustomBot
from bot_sdk.parameters import Parameter

__all__ = ["Action", "CustomBot", "Parameter"]
