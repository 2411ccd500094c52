import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.finding import ROOT


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of all files in the built wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.parametrize("template", ["online_retail", "empty"])
def test_the_wheel_holds_the_templates_of_init(shipped: set[str], template: str) -> None:
    assert f"penstock/templates/{template}/penstock.yml" in shipped


def test_the_wheel_holds_macros_and_type_marker(shipped: set[str]) -> None:
    assert {"penstock/transform/macros/keys.sql", "penstock/py.typed"} <= shipped


def test_the_wheel_holds_nothing_that_a_run_leaves_behind(shipped: set[str]) -> None:
    left_behind = {"target", "logs", ".penstock", "__pycache__", "tests"}
    assert [name for name in shipped if left_behind & set(Path(name).parts) and "/models/tests/" not in name] == []
