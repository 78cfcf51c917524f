"""The second engine, for machines and containers that forbid namespaces: Landlock, a doorman and the filters.

A run may open nothing of this machine's file system beyond its runtime: Landlock and the doorman each see to
that. Whether anything else exists, it is told by nobody. Started as root, the zygote becomes a user who owns
nothing. Started by anyone else, it stays that user, and what is between its runs and that user's other
processes are the filters and Landlock's scopes.
"""

import os
import sys

from execution.sandbox import runtime
from execution.sandbox.engine import ALL_LAYERS, Launch, Layers, any_uid
from execution.sandbox.errors import SandboxUnavailable
from execution.sandbox.inside import landlock
from execution.sandbox.inside.options import Layer, Options

_ROOT = 0
_LEFT_OUT = (Layer.NAMESPACES, Layer.PROCESS_FILTER)  # the doorman's filter has what the second one has


class Landlock:
    """Every wall that needs no namespaces."""

    name = "landlock"

    def layers(self) -> Layers:
        """Return every layer of this engine. Raises SandboxUnavailable where the kernel has no Landlock."""
        if sys.platform != "linux" or not landlock.version():
            raise SandboxUnavailable("the kernel has no Landlock, or it is switched off (see `lsm=`).")
        return tuple(layer for layer in ALL_LAYERS if layer not in _LEFT_OUT)

    def launch(self, preload: tuple[str, ...], layers: Layers) -> Launch:
        """Return how to start a zygote. Raises SandboxUnavailable when it could not read its libraries."""
        places = runtime.places()
        is_root = os.geteuid() == _ROOT
        if is_root:
            runtime.check_readable(places, through_parents=True)
        readable = (*map(str, places), *runtime.DEVICES)
        return Launch(
            runtime.command_outside(),
            Options(preload, readable, False, False, layers),
            runtime.environment_outside(),
            any_uid() if is_root else None,
        )
