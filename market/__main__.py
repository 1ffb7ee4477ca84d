"""`python -m market` is the `market` command."""

import sys

from market.cli import main

sys.exit(main())
