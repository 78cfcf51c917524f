#!/bin/sh
# Compile the pins from pyproject.toml. The runtime's come first and hold for the others.
set -eu
compile() {
    .venv/bin/uv pip compile --quiet --no-header --no-annotate --python .venv/bin/python "$@" pyproject.toml
}
compile --output-file requirements.txt
compile --constraint requirements.txt --extra local --output-file requirements/local.txt
compile --constraint requirements/local.txt --extra local --extra dev --output-file requirements/dev.txt
.venv/bin/uv pip compile --quiet --no-header --no-annotate --python .venv/bin/python \
    --constraint requirements.txt --output-file requirements/bots.txt requirements/bots.in
