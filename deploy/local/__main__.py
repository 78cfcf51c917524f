import sys

from deploy.local.product import up
from deploy.local.throwaway import execute

match sys.argv[1:]:
    case ["up"]:
        up()
    case ["exec", "--", *command] if command:
        sys.exit(execute(command))
    case _:
        sys.exit("Usage: python -m deploy.local up | exec -- COMMAND …")
