"""The simulated shop is part of a project, not of the package: its folder is where it is imported from."""

from __future__ import annotations

import sys

from tests.one_process import COMMERCE

if str(COMMERCE) not in sys.path:
    sys.path.insert(0, str(COMMERCE))
