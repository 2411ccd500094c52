"""`penstock up` on a broker does what it does on the log of the data directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stream import test_up


@pytest.mark.usefixtures("on_kafka")
def test_a_killed_part_goes_on_and_every_event_arrives_once(tmp_path: Path) -> None:
    test_up.test_a_killed_part_goes_on_and_every_event_arrives_once(tmp_path)
