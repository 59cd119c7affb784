"""`python -m recipes`: the `toolkit` command as a module."""

import sys

from recipes._cli.main import main

sys.exit(main())
