"""`python -m simulator` in the project's folder, or `python projects/commerce/simulator` from anywhere."""

from __future__ import annotations

import sys
from pathlib import Path

if __package__ in (None, ""):
    here = Path(__file__).resolve().parent
    sys.path[:] = [str(here.parent), *(entry for entry in sys.path if entry != str(here))]

from simulator.cli import main

sys.exit(main())
