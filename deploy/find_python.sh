#!/bin/sh
# Print a Python interpreter that the project runs on: 3.12 or 3.13, able to make virtual environments.
# Each candidate is run, since a name on the PATH may be a shim that has no interpreter behind it.
set -u

# Print the interpreter behind a candidate (not that of a virtual environment), or fail.
behind() {
    "$1" - 2>/dev/null <<'PYTHON'
import sys, venv, ensurepip, ssl
if not (3, 12) <= sys.version_info[:2] < (3, 14):
    sys.exit(1)
print(sys._base_executable)
PYTHON
}

advise() {
    cat >&2 <<'ADVICE'
The project needs Python 3.12 or 3.13 with the venv and ssl modules.
  Debian 13, Ubuntu 24.04:  apt install python3 python3-venv
  Fedora:                   dnf install python3.13
  Arch, openSUSE, others:   the package of Python 3.13, if there is one
  anywhere:                 install uv or pyenv, then `uv python install 3.13` or `pyenv install 3.13`
Or name one yourself: make run PYTHON=/path/to/python3.13
ADVICE
    exit 1
}

if [ -n "${PYTHON:-}" ]; then
    found=$(behind "$PYTHON") && echo "$found" && exit
    echo "PYTHON=$PYTHON cannot be used: $("$PYTHON" --version 2>&1 | tail -n 1)" >&2
    advise
fi

here=$(dirname "$0")
home=${HOME:-/nonexistent}
# The environment's own interpreter comes first: a new one elsewhere is no reason to begin anew.
for candidate in \
    "$here/../.venv/bin/python" python3.13 python3.12 python3 \
    "${PYENV_ROOT:-$home/.pyenv}"/versions/3.13.*/bin/python3 \
    "${PYENV_ROOT:-$home/.pyenv}"/versions/3.12.*/bin/python3 \
    "${UV_PYTHON_INSTALL_DIR:-$home/.local/share/uv/python}"/cpython-3.1[32].*/bin/python3 \
    /opt/*/bin/python3.13 /opt/*/bin/python3.12 /usr/local/bin/python3.13 /usr/local/bin/python3.12; do
    path=$(command -v "$candidate" 2>/dev/null) || continue
    found=$(behind "$path") && echo "$found" && exit
done

if command -v uv >/dev/null 2>&1 && uv python install 3.13 >&2; then
    found=$(behind "$(uv python find 3.13)") && echo "$found" && exit
fi

echo "No usable Python found." >&2
advise
