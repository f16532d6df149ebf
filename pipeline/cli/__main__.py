"""`python -m pipeline.cli`, which is `cxr`."""

import sys

from pipeline.cli import main

sys.exit(main())
