"""`python -m qdot` is the command line."""

from __future__ import annotations

import sys

from qdot.cli import main

if __name__ == "__main__":
    sys.exit(main())
