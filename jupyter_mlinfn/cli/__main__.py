"""``python -I -m jupyter_mlinfn.cli``: how the magics and the back-ends start this program."""

import sys

from jupyter_mlinfn.cli.main import main

sys.exit(main())
