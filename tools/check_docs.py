"""Documentation that cannot rot: links resolve, commands shown exist, made pages are fresh, no page is orphaned."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from tools import generate_docs
from tools.finding import Finding, report

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```(?:console|bash|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:penstock|make) [^`]+)`")


def documents(root: Path) -> list[Path]:
    return [*sorted(root.glob("*.md")), *sorted((root / "docs").rglob("*.md"))]


def headings(text: str) -> set[str]:
    """Anchors of the headings, as code hosts make them: lower case, blanks to hyphens, punctuation dropped."""
    titles = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(root: Path) -> Iterator[Finding]:
    linked = {root / "README.md", root / "CHANGELOG.md"}
    for page in documents(root):
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
            for target in LINK.findall(line):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, anchor = target.partition("#")
                aim = (page.parent / path).resolve() if path else page
                linked.add(aim)
                where = str(page.relative_to(root))
                if not aim.exists():
                    yield Finding(where, number, f"{target} does not exist")
                elif anchor and anchor not in headings(aim.read_text(encoding="utf-8")):
                    yield Finding(where, number, f"{path or where} has no heading #{anchor}")
    for page in documents(root):
        if page.resolve() not in {aim.resolve() for aim in linked}:
            yield Finding(str(page.relative_to(root)), 1, "no other page links to this one")


def shown_commands(text: str) -> Iterator[tuple[int, str]]:
    """(line, command) of everything a reader could type: lines of shell fences and inline code."""
    for block in FENCE.finditer(text):
        first = text.count("\n", 0, block.start(1)) + 1
        for number, line in enumerate(block[1].splitlines(), start=first):
            if line.startswith("$ ") or "```console" not in block[0]:
                yield number, line.removeprefix("$ ")
    for code in INLINE.finditer(text):
        yield text.count("\n", 0, code.start()) + 1, code[1]


def unknown(command: str, cli: Mapping[str, AbstractSet[str]], targets: AbstractSet[str]) -> str | None:
    """Why this command line cannot work, or None; `cli` maps a command's full name to its options."""
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        return f"{command} is not a command line"
    words = [word for word in words if "=" not in word or word.startswith("-")]
    if len(words) < 2 or words[0] not in ("penstock", "make"):
        return None
    if words[0] == "make":
        return next((f"make has no target {word}" for word in words[1:2] if word not in targets), None)
    if words[1].startswith("-"):
        return None
    named = (" ".join(words[1:3]), words[1], f"{words[1]} run")  # a group may run by default
    name = next((name for name in named if name in cli), None)
    if name is None:
        groups = {full.split()[0] for full in cli if " " in full}
        return None if words[1:] == [words[1]] and words[1] in groups else f"penstock has no command {words[1]}"
    given = (word.split("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word))
    return next((f"penstock {name} has no option {option}" for option in given if option not in cli[name]), None)


def wrong_commands(root: Path, cli: Mapping[str, AbstractSet[str]], targets: AbstractSet[str]) -> Iterator[Finding]:
    for page in documents(root):
        for line, command in shown_commands(page.read_text(encoding="utf-8")):
            why = unknown(command, cli, targets)
            if why is not None:
                yield Finding(str(page.relative_to(root)), line, why)


def stale(root: Path, pages: Mapping[str, str]) -> Iterator[Finding]:
    for path, content in pages.items():
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != content:
            yield Finding(path, 1, "is not what the product says now: run make docs")


def make_targets(makefile: str) -> set[str]:
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


def findings(root: Path) -> Iterator[Finding]:
    tree = generate_docs.command_tree()
    cli = {name: {"-h", "--help", *generate_docs.options(command)} for name, command in generate_docs.commands(tree)}
    yield from broken_links(root)
    yield from wrong_commands(root, cli, make_targets((root / "Makefile").read_text(encoding="utf-8")))
    yield from stale(root, generate_docs.pages())


if __name__ == "__main__":
    sys.exit(report(findings))
