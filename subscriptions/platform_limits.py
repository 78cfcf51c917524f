"""The risk limits that the operator sets for everyone."""

from django.conf import settings

from bot_sdk.configs import RiskConfig


def platform_limits() -> RiskConfig:
    """Return the platform's limits, which hold where a trader chose a weaker one or none."""
    return RiskConfig.parse(settings.PLATFORM_RISK_LIMITS)
