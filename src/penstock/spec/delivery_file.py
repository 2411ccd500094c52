"""The `delivery` of a source: what a file means, and where its version stands."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from penstock.spec.problems import Problems
from penstock.spec.reading_formats import is_time_format
from penstock.spec.scalars import NAME, SHARE, WORDS
from penstock.spec.shape import Choice, Fields, Key, Parsed, Section, default, optional
from penstock.spec.source import Delivery, DeliveryMode

MODE = default(
    "mode",
    Choice(tuple((mode.value, mode) for mode in DeliveryMode)),
    "`append`: every file adds rows. `replace_file`: a file of the same name with a higher version replaces "
    "the rows of the lower one. `upsert`: every row is a version of its key. `snapshot`: every file is the whole truth "
    "of its moment, and a key it misses is deleted.",
    DeliveryMode.APPEND,
)
PATTERN = optional(
    "pattern",
    WORDS,
    "A regular expression over the file name with the group `version`, and for replace_file `name` (what is replaced).",
)
VERSION_COLUMN = optional(
    "version_column", WORDS, "replace_file: the source column whose highest value is the version of the file."
)
VERSION = optional(
    "version",
    NAME,
    "upsert, snapshot: the column of the contract that is a row's version; of a snapshot, its moment. With `pattern` "
    "it has the version in the file name, else what the rows say.",
)
VERSION_FORMAT = optional(
    "version_format",
    Parsed("strptime format", lambda text: text if is_time_format(text) else None, "Write for example `%Y%m%d`."),
    "upsert, snapshot: how the moment in the file name is written; ISO 8601 when not given.",
)
MAX_DELETED = default(
    "max_deleted",
    SHARE,
    "snapshot: the highest share of the keys of one snapshot that the next may miss; a file beyond it is refused.",
    Delivery.max_deleted,
)
SAME_CONTENT = default(
    "same_content",
    Choice((("load", "load"), ("skip", "skip"))),
    "What a file with the content of a known file under another path is: loaded like any other, or skipped and counted.",
    "load",
)
DELIVERY = Section("the delivery", (MODE, PATTERN, VERSION_COLUMN, VERSION, VERSION_FORMAT, MAX_DELETED, SAME_CONTENT))

_EXAMPLE = {
    DeliveryMode.REPLACE_FILE: "`(?P<name>.+)_v(?P<version>[0-9]+)[.]csv`",
    DeliveryMode.UPSERT: "`changes_(?P<version>[0-9]+)[.]csv`",
    DeliveryMode.SNAPSHOT: "`list_(?P<version>[0-9-]+)[.]csv`",
}
_MODES: tuple[tuple[Key[Any], tuple[DeliveryMode, ...]], ...] = (
    (PATTERN, (DeliveryMode.REPLACE_FILE, DeliveryMode.UPSERT, DeliveryMode.SNAPSHOT)),
    (VERSION_COLUMN, (DeliveryMode.REPLACE_FILE,)),
    (VERSION, (DeliveryMode.UPSERT, DeliveryMode.SNAPSHOT)),
    (VERSION_FORMAT, (DeliveryMode.UPSERT, DeliveryMode.SNAPSHOT)),
    (MAX_DELETED, (DeliveryMode.SNAPSHOT,)),
)


def make_delivery(section: Fields | None) -> Delivery:
    """The delivery as declared; without a section every file adds rows."""
    if section is None:
        return Delivery()
    return Delivery(
        mode=section[MODE],
        pattern=section[PATTERN],
        version_column=section[VERSION_COLUMN],
        same_content=section[SAME_CONTENT],
        version=section[VERSION],
        version_format=section[VERSION_FORMAT],
        max_deleted=section[MAX_DELETED],
    )


def judge_delivery(delivery: Fields, problems: Problems) -> None:
    """Hold the keys of a delivery against its mode."""
    if not delivery.valid(MODE):
        return
    mode = delivery[MODE]
    if delivery.valid(PATTERN) and delivery[PATTERN] is not None:
        _judge_pattern(delivery, delivery[PATTERN] or "", problems)
    for key, modes in _MODES:
        if delivery.given(key) and mode not in modes:
            problems.add(
                delivery.key_place(key),
                f"`{key.name}` has no meaning for a delivery of mode `{mode}`",
                expected=f"mode {either(modes)}",
                remedy="Remove it, or change the mode.",
            )
    if mode is DeliveryMode.REPLACE_FILE:
        _judge_replacement(delivery, problems)
    elif mode.keeps_versions:
        _judge_versions(delivery, problems)


def either(words: Sequence[str]) -> str:
    """The words as a choice.

    >>> either(["a", "b", "c"])
    '`a`, `b` or `c`'
    """
    quoted = [f"`{word}`" for word in words]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)


def _judge_replacement(delivery: Fields, problems: Problems) -> None:
    versions = [key for key in (PATTERN, VERSION_COLUMN) if delivery.given(key)]
    if not versions:
        problems.add(
            delivery.place(MODE),
            "Files are to be replaced, but nothing says which version is the newer one",
            expected="`pattern` or `version_column`",
            remedy="Add a `pattern` with the groups `name` and `version`, or name a `version_column`.",
        )
    elif len(versions) == 2:
        problems.add(
            delivery.key_place(VERSION_COLUMN),
            "The version of a file comes from two places",
            expected="`pattern` or `version_column`",
            found="both",
            remedy="Keep one of them.",
        )


def _judge_versions(delivery: Fields, problems: Problems) -> None:
    if not delivery.given(VERSION):
        problems.add(
            delivery.place(MODE),
            "Versions are to be kept, but nothing says which one a row is",
            expected="`version`",
            remedy="Name the column of the contract that is the version under `version`.",
        )
    if delivery.given(VERSION_FORMAT) and not delivery.given(PATTERN):
        problems.add(
            delivery.key_place(VERSION_FORMAT),
            "`version_format` has no meaning without `pattern`",
            expected="a `pattern` with the group `version`",
            remedy="Declare under `reading` how dates and timestamps of the rows are written.",
        )


def _judge_pattern(delivery: Fields, pattern: str, problems: Problems) -> None:
    mode = delivery[MODE]
    example = _EXAMPLE.get(mode, _EXAMPLE[DeliveryMode.REPLACE_FILE])
    try:
        groups = set(re.compile(pattern).groupindex)
    except (re.error, OverflowError, RecursionError) as error:
        problems.add(
            delivery.place(PATTERN),
            "`pattern` is not a regular expression",
            found=str(error),
            remedy=f"Write for example {example}.",
        )
        return
    for group in ("version",) if mode.keeps_versions else ("name", "version"):
        if group not in groups:
            problems.add(
                delivery.place(PATTERN),
                f"`pattern` has no group `{group}`",
                subject=group,
                expected=f"`(?P<{group}>...)`",
                found=f"`{pattern}`",
                remedy=f"Write for example {example}.",
            )
