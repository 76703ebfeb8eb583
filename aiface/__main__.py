"""`python -m aiface`, see `aiface.apps.cli.main`."""

import sys

from aiface.apps.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
