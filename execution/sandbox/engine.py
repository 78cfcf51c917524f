"""The ways to confine: each starts a zygote behind as many walls as it can put up.

What an engine promises is proved by the self-test; nothing here assumes that it works on this machine.
"""

import dataclasses
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from execution.sandbox.inside.options import Layer, Options

# systemd's table of user ids leaves this range to nobody.
_RUN_UIDS = range(1_900_000_000, 2_100_000_000)

Layers = tuple[Layer, ...]
ALL_LAYERS: Layers = tuple(Layer)


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one zygote: `user` is the one that it starts as, None for the worker's own."""

    command: list[str]
    options: Options
    environment: Mapping[str, str] = field(default_factory=dict)
    user: int | None = None

    def arguments(self, control: int) -> list[str]:
        """Return the command, for a zygote that finds its control socket under this number."""
        return [*self.command, "-m", "inside", str(control), json.dumps(dataclasses.asdict(self.options))]


class Engine(Protocol):
    """A way to confine. `name` is what an operator pins it by."""

    name: str

    def layers(self) -> Layers:
        """Return the walls that it puts up on this machine. Raises SandboxUnavailable."""

    def launch(self, preload: tuple[str, ...], layers: Layers) -> Launch:
        """Return how to start a zygote with these modules and walls. Raises SandboxUnavailable."""


def any_uid() -> int:
    """Return a user id that belongs to nobody on this machine, by chance another one each time."""
    return secrets.choice(_RUN_UIDS)
