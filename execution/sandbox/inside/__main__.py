"""The zygote's program: `python -m inside CONTROL_DESCRIPTOR OPTIONS`, the latter as JSON."""

import sys

from .options import Options
from .zygote import serve

serve(int(sys.argv[1]), Options.read(sys.argv[2]))
