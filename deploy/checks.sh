#!/bin/sh
# The checks that need settings and servers, then the tests; `make test` runs this on throwaway servers.
set -eu
python=.venv/bin/python

.venv/bin/mypy .
$python manage.py makemigrations --check --dry-run
PUBLIC_URL=https://bots.example.com $python manage.py check --deploy --fail-level WARNING
# The whole suite is shared by three processes: much of it waits. A part is quicker in one. Files keep their order:
# those with the fewest tests are among the longest, and by the number of tests they would come last, one by one.
[ $# -gt 0 ] || set -- --numprocesses 3 --dist loadfile --no-loadscope-reorder
exec $python -m pytest "$@"
