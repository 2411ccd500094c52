"""What the page about the log shows does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from penstock.runtime import event_log

PAGE = (Path(__file__).parent.parent.parent / "docs" / "log.md").read_text()


def test_the_program_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = re.search(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found is not None
    names: dict[str, object] = {}
    exec(compile(found[1], "docs/log.md", "exec"), names)
    assert names["pages"] == ["/", "/help"]
    for folder in ("log/catalog.db", "log/topics/visits/*/*.db", "log/jobs/copy/*.db"):
        assert list(tmp_path.glob(folder))


def test_the_variables_of_the_page_are_those_that_are_read() -> None:
    shown = set(re.findall(r"^\| `(PENSTOCK_\w+)`", PAGE, re.MULTILINE))
    assert shown == {event_log.KAFKA, event_log.ENCODING, event_log.REGISTRY}
