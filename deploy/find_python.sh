#!/bin/sh
# Print a Python interpreter that the project runs on: 3.12 or 3.13, able to make virtual environments.
# Each candidate is run, since a name on the PATH may be a shim that has no interpreter behind it.
set -u

works() {
    "$1" - 2>/dev/null <<'PYTHON'
import sys, venv, ensurepip
sys.exit(not (3, 12) <= sys.version_info[:2] < (3, 14))
PYTHON
}

for candidate in \
    "${PYTHON:-}" python3.13 python3.12 python3 \
    "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.13.*/bin/python3 \
    "${PYENV_ROOT:-${HOME:-/nonexistent}/.pyenv}"/versions/3.12.*/bin/python3 \
    /opt/*/bin/python3.13 /opt/*/bin/python3.12 /usr/local/bin/python3.13 /usr/local/bin/python3.12; do
    [ -n "$candidate" ] || continue
    path=$(command -v "$candidate" 2>/dev/null) || continue
    if works "$path"; then
        echo "$path"
        exit 0
    fi
done

if command -v uv >/dev/null 2>&1 && uv python install 3.13 >&2; then
    uv python find 3.13
    exit
fi

cat >&2 <<'ADVICE'
No usable Python found: the project needs Python 3.12 or 3.13 with the venv module.
  Debian 13, Ubuntu 24.04:  apt install python3 python3-venv
  Fedora:                   dnf install python3.13
  anywhere:                 install uv or pyenv, then `uv python install 3.13` or `pyenv install 3.13`
Or name one yourself: make run PYTHON=/path/to/python3.13
ADVICE
exit 1
