"""The library with one release that the flows use."""

from __future__ import annotations

from tests.flows.conftest import library, released_once

__all__ = ["library", "released_once"]
