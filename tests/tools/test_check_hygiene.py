import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.check_hygiene import LARGEST_FILE, LONGEST_MODULE, findings

Found = Callable[[str, str], list[str]]


@pytest.fixture
def found(tmp_path: Path) -> Found:
    """What the rule says of a repository that holds one file."""
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)

    def check(name: str, content: str) -> list[str]:
        (tmp_path / name).write_text(content)
        return [finding.what for finding in findings(tmp_path)]

    return check


@pytest.mark.parametrize("host", ["pypi" + ".org", "files.python" + "hosted.org", "registry." + "npmjs.org"])
def test_registry_addresses_are_found(found: Found, host: str) -> None:
    assert "names a package registry" in found("setup.md", f"Get it from https://{host}/simple\n")[0]


def test_index_options_are_found_even_without_a_host(found: Found) -> None:
    assert len(found("requirements.txt", "--index" + "-url https://example.invalid/simple\n")) == 1


@pytest.mark.parametrize("path", ["/home" + "/ann/data", "/Users" + "/ann/data", "/root" + "/data"])
def test_paths_of_one_machine_are_found(found: Found, path: str) -> None:
    assert "a path of one machine" in found("settings.yml", f"data: {path}\n")[0]


def test_routes_and_relative_paths_are_not_machine_paths(found: Found) -> None:
    assert found("routes.md", "GET /customers, docs/home/start, ../root/x, https://example.com/home/ann/x\n") == []


def test_big_files_are_found(found: Found) -> None:
    assert "bytes" in found("data.csv", "x" * (LARGEST_FILE + 1))[0]


def test_endless_modules_are_found(found: Found) -> None:
    assert found("long.py", "x = 1\n" * LONGEST_MODULE) == []
    assert "look for the seam" in found("long.py", "x = 1\n" * (LONGEST_MODULE + 1))[0]


def test_a_requirement_without_a_hash_is_found(found: Found) -> None:
    assert found("a.lock", "attrs==26.1.0 \\\n    --hash=sha256:00\n") == []
    assert "attrs==26.1.0 has no hash" in found("a.lock", "attrs==26.1.0\nidna==3 --hash=sha256:00\n")[0]
