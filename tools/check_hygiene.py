"""What must never stand in the repository: registry addresses, paths of one machine, big files, endless modules."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.finding import Finding, report

LARGEST_FILE = 1_000_000  # bytes
LONGEST_MODULE = 500  # lines
# Written so that this file does not match itself.
ADDRESSES = re.compile(
    r"pypi\.(?:org)|python(?:hosted)\.org|registry\.(?:npmjs)|proxy\.(?:golang)|repo1?\.(?:maven)|static\.(?:crates)\.io"
    r"|--(?:extra-)?(?:index)-url|--(?:find)-links|^\s*(?:index)-url"
)
MACHINE_PATHS = re.compile(
    r"(?<![\w.~-])/(?:home|Users)/[a-z]\w*/|(?<![\w.~-])/(?:root|work|workspace)/\w|[A-Z]:\\\\?(?:Users)\\"
)
OPTIONS_ALLOWED = re.compile(r"--no-emit-\S+")  # `make lock` says what the lock must not contain


def files(root: Path) -> list[Path]:
    """Everything that is or would be committed."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    paths = (root / name for name in listed.stdout.decode().split("\0") if name)
    return sorted(path for path in paths if path.is_file() and not path.is_symlink())


def unpinned(lock: str) -> Iterator[tuple[int, str]]:
    """Requirements of a lock file that have no hash."""
    lines = lock.splitlines()
    for number, line in enumerate(lines, start=1):
        follows = lines[number] if line.endswith("\\") and number < len(lines) else ""
        if re.match(r"[A-Za-z0-9]", line) and "--hash=sha256:" not in line + follows:
            yield number, line.split()[0]


def in_text(where: str, text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), start=1):
        shown = OPTIONS_ALLOWED.sub("", line)
        if ADDRESSES.search(shown):
            yield Finding(where, number, "names a package registry: installers find it in their own settings")
        if MACHINE_PATHS.search(shown):
            yield Finding(where, number, "holds a path of one machine: make it relative, or a setting")


def findings(root: Path) -> Iterator[Finding]:
    for path in files(root):
        where = str(path.relative_to(root))
        content = path.read_bytes()
        if len(content) > LARGEST_FILE:
            yield Finding(where, 1, f"is {len(content):,} bytes; at most {LARGEST_FILE:,}: make it or fetch it instead")
            continue
        if b"\0" in content[:8192]:
            continue
        text = content.decode("utf-8", errors="replace")
        yield from in_text(where, text)
        if path.suffix == ".py" and (lines := text.count("\n")) > LONGEST_MODULE:
            yield Finding(where, lines, f"has {lines} lines; at {LONGEST_MODULE} look for the seam")
        if path.name.endswith(".lock"):
            yield from (Finding(where, number, f"{name} has no hash: run make lock") for number, name in unpinned(text))


if __name__ == "__main__":
    sys.exit(report(findings))
