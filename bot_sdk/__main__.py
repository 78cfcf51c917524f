import sys

from bot_sdk.cli import main

sys.exit(main())
