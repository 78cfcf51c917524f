"""What the worker tells a zygote when it starts it."""

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Layer(StrEnum):
    """One wall around a run. Each can be left out, to prove that the others hold without it."""

    NAMESPACES = "namespaces"
    LANDLOCK = "landlock"
    DOORMAN = "doorman"
    PROCESS_FILTER = "process_filter"
    ZYGOTE_FILTER = "zygote_filter"
    RUN_FILTER = "run_filter"
    LIMITS = "limits"
    RIGHTS = "rights"  # user, capabilities, no new privileges


@dataclass(frozen=True, slots=True)
class Options:
    """`preload` are modules that runs will import. `readable` are the places that Landlock leaves readable.

    `changes_user` gives each run a user of its own; `has_capabilities` says that the zygote has some to drop.
    """

    preload: tuple[str, ...]
    readable: tuple[str, ...]
    changes_user: bool
    has_capabilities: bool
    layers: tuple[Layer, ...]

    @classmethod
    def read(cls, text: str) -> "Options":
        """Return what was written as JSON, which has no tuples."""
        values: dict[str, Any] = json.loads(text)
        for name, value in values.items():
            if isinstance(value, list):
                values[name] = tuple(value)
        return cls(**values)

    @property
    def has_namespaces(self) -> bool:
        """Whether each run gets a process namespace of its own."""
        return Layer.NAMESPACES in self.layers
