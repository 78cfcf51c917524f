"""Where things lie on this machine."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".local"
ENV_FILE = STATE / "env"
