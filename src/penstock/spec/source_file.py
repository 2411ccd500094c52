"""`sources/*.yml`: where rows come from and how their text is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from penstock.spec.document import Items, Node, Place, Scalar
from penstock.spec.environment import expand
from penstock.spec.fingerprint import fingerprint
from penstock.spec.problems import Problems
from penstock.spec.reading_formats import is_time_format, is_timezone
from penstock.spec.scalars import CHARACTER, DURATION, FLAG, NAME, PROSE, TEXT, WORDS
from penstock.spec.shape import Choice, Fields, Many, Pairs, Parsed, Section, default, optional, required
from penstock.spec.source import Csv, Delivery, DeliveryMode, FileFormat, Reading, Source

_ENCODINGS = (
    ("utf-8", "utf-8"),
    ("utf8", "utf-8"),
    ("cp1252", "cp1252"),
    ("windows-1252", "cp1252"),
    ("latin-1", "latin-1"),
    ("iso-8859-1", "latin-1"),
    ("utf-16", "utf-16"),
)
DELIMITER = default("delimiter", CHARACTER, "What stands between two values.", Csv.delimiter)
QUOTE = default("quote", CHARACTER, "What a value with a delimiter or line end inside is enclosed in.", Csv.quote)
HEADER = default("header", FLAG, "Whether the first line names the columns.", Csv.header)
ENCODING = default("encoding", Choice(_ENCODINGS), "How text is stored; a byte order mark is dropped.", Csv.encoding)
CSV_COLUMNS = optional("columns", Many(WORDS, at_least=1), "Names of the columns, in order, when `header` is false.")
CSV = Section("the CSV dialect", (DELIMITER, QUOTE, HEADER, ENCODING, CSV_COLUMNS))

MODE = default(
    "mode",
    Choice(tuple((mode.value, mode) for mode in DeliveryMode)),
    "`append`: every file adds rows. `replace_file`: a file of the same name with a higher version replaces "
    "the rows of the lower one.",
    DeliveryMode.APPEND,
)
PATTERN = optional(
    "pattern",
    WORDS,
    "replace_file: a regular expression over the file name with the groups `name` (what is replaced) and `version`.",
)
VERSION_COLUMN = optional(
    "version_column", WORDS, "replace_file: the source column whose highest value is the version of the file."
)
SAME_CONTENT = default(
    "same_content",
    Choice((("load", "load"), ("skip", "skip"))),
    "What a file with the content of a known file under another path is: loaded like any other, or skipped and counted.",
    "load",
)
DELIVERY = Section("the delivery", (MODE, PATTERN, VERSION_COLUMN, SAME_CONTENT))

COLUMNS = optional("columns", Pairs(WORDS, "column of the contract"), "Source column for each column named otherwise.")
NULL_VALUES = default("null_values", Many(TEXT), "Texts that stand for an absent value.", Reading.null_values)
DECIMAL_SEPARATOR = default(
    "decimal_separator", Choice(((".", "."), (",", ","))), "What stands before the fraction.", Reading.decimal_separator
)
THOUSANDS_SEPARATOR = optional("thousands_separator", CHARACTER, "What groups digits, removed before reading.")
TIMEZONE = default(
    "timezone",
    Parsed("IANA time zone", lambda text: text if is_timezone(text) else None, "Write for example `Europe/London`."),
    "Zone of timestamps that carry no offset.",
    Reading.timezone,
)
_TIME_FORMAT: Parsed[str] = Parsed(
    "strptime format", lambda text: text if is_time_format(text) else None, "Write for example `%d/%m/%Y %H:%M`."
)
TIMESTAMP_FORMAT = optional("timestamp_format", _TIME_FORMAT, "How timestamps are written; ISO 8601 when not given.")
DATE_FORMAT = optional("date_format", _TIME_FORMAT, "How dates are written; ISO 8601 when not given.")
READING = Section(
    "the reading",
    (COLUMNS, NULL_VALUES, DECIMAL_SEPARATOR, THOUSANDS_SEPARATOR, TIMEZONE, TIMESTAMP_FORMAT, DATE_FORMAT),
)

SOURCE_NAME = required("name", NAME, "Name of the source; its raw rows are the table `bronze.<name>`.")
SOURCE_DESCRIPTION = default("description", PROSE, "Where the files come from.", "")
DATASET = required("dataset", NAME, "The dataset these rows belong to: the contract they must meet.")
FILES = required(
    "files",
    Many(WORDS, or_one=True, at_least=1),
    "Paths with `*`, `?`, `[...]` and `**`, absolute or relative to the project; `${NAME:-default}` stands for "
    "an environment variable.",
)
FORMAT = required(
    "format",
    Choice(tuple((kind.value, kind) for kind in FileFormat)),
    "`csv`, `ndjson` (an object on each line), `json` (one array of objects) or `parquet`.",
)
COMPRESSION = optional(
    "compression", Choice((("gz", "gz"), ("zst", "zst"))), "How files are compressed; by their ending when not given."
)
OPTIONAL = default("optional", FLAG, "Whether it is fine that no file is there.", False)
SETTLE = default("settle", DURATION, "How long a file must have been at rest before it is read.", timedelta(0))
CSV_KEY = optional("csv", CSV, "The dialect of CSV files.")
DELIVERY_KEY = optional("delivery", DELIVERY, "What a delivery means.")
READING_KEY = optional("reading", READING, "How text becomes values.")
SOURCE_FILE = Section(
    "a source",
    (
        SOURCE_NAME,
        SOURCE_DESCRIPTION,
        DATASET,
        FILES,
        FORMAT,
        COMPRESSION,
        OPTIONAL,
        SETTLE,
        CSV_KEY,
        DELIVERY_KEY,
        READING_KEY,
    ),
)


def read_source(root: Node, problems: Problems) -> Fields | None:
    """The fields of a source file, judged by themselves (without the contract)."""
    fields = SOURCE_FILE.read(root, "", problems)
    if fields is None:
        return None
    _judge_format(fields, problems)
    csv, delivery, reading = (fields.get(CSV_KEY), fields.get(DELIVERY_KEY), fields.get(READING_KEY))
    if csv is not None:
        _judge_csv(csv, problems)
    if delivery is not None:
        _judge_delivery(delivery, problems)
    if reading is not None:
        _judge_reading(reading, problems)
    return fields


def make_source(
    fields: Fields, path: Path, environment: Mapping[str, str], problems: Problems, *, parents: tuple[str, ...]
) -> Source | None:
    """The source, once its fields and its contract are known to be right. Its fingerprint takes the
    paths as declared, so that moving the files somewhere else is not a change of meaning."""
    globs = [expand(text, environment, place, problems) for text, place in _files(fields)]
    if not fields.complete or None in globs:
        return None
    csv, delivery, reading = _csv(fields), _delivery(fields), _reading(fields)
    meaning: dict[str, object] = {
        "name": fields[SOURCE_NAME],
        "dataset": fields[DATASET],
        "files": fields[FILES],
        "format": fields[FORMAT],
        "compression": fields[COMPRESSION],
        "csv": asdict(csv),
        "delivery": asdict(delivery),
        "reading": asdict(reading),
    }
    return Source(
        name=fields[SOURCE_NAME],
        dataset=fields[DATASET],
        globs=tuple(glob for glob in globs if glob is not None),
        format=fields[FORMAT],
        compression=fields[COMPRESSION],
        csv=csv,
        delivery=delivery,
        reading=reading,
        settle=fields[SETTLE],
        path=path,
        fingerprint=fingerprint("source", meaning, parents),
        description=fields[SOURCE_DESCRIPTION],
        optional=fields[OPTIONAL],
    )


def _files(fields: Fields) -> list[tuple[str, Place]]:
    node = fields.node.get(FILES.name)
    places = [item.place for item in node.items] if isinstance(node, Items) else [fields.place(FILES)]
    texts = fields.get(FILES)
    return [] if texts is None else list(zip(texts, places, strict=True))


def _csv(fields: Fields) -> Csv:
    section = fields[CSV_KEY]
    if section is None:
        return Csv()
    return Csv(
        delimiter=section[DELIMITER],
        quote=section[QUOTE],
        header=section[HEADER],
        encoding=section[ENCODING],
        columns=section[CSV_COLUMNS],
    )


def _delivery(fields: Fields) -> Delivery:
    section = fields[DELIVERY_KEY]
    if section is None:
        return Delivery()
    return Delivery(
        mode=section[MODE],
        pattern=section[PATTERN],
        version_column=section[VERSION_COLUMN],
        same_content=section[SAME_CONTENT],
    )


def _reading(fields: Fields) -> Reading:
    section = fields[READING_KEY]
    if section is None:
        return Reading()
    mapping = section[COLUMNS]
    return Reading(
        mapping=() if mapping is None else tuple(sorted(mapping)),
        null_values=section[NULL_VALUES],
        decimal_separator=section[DECIMAL_SEPARATOR],
        thousands_separator=section[THOUSANDS_SEPARATOR],
        timezone=section[TIMEZONE],
        timestamp_format=section[TIMESTAMP_FORMAT],
        date_format=section[DATE_FORMAT],
    )


def _judge_format(fields: Fields, problems: Problems) -> None:
    if not fields.valid(FORMAT):
        return
    if fields.given(CSV_KEY) and fields[FORMAT] is not FileFormat.CSV:
        problems.add(
            fields.key_place(CSV_KEY),
            f"`csv` has no meaning for files of format `{fields[FORMAT]}`",
            expected="format `csv`",
            remedy="Remove it, or change the format.",
        )
    if fields.given(COMPRESSION) and fields[FORMAT] is FileFormat.PARQUET:
        problems.add(
            fields.key_place(COMPRESSION),
            "`compression` has no meaning for files of format `parquet`",
            expected="no compression around the file",
            remedy="Remove it: Parquet compresses inside.",
        )


def _judge_csv(csv: Fields, problems: Problems) -> None:
    if csv.valid(DELIMITER, QUOTE) and csv[DELIMITER] == csv[QUOTE]:
        problems.add(
            csv.place(QUOTE),
            "`quote` and `delimiter` are the same character",
            found=f"`{csv[QUOTE]}`",
            remedy="Choose another character for one of them.",
        )
    if not csv.valid(HEADER):
        return
    if csv[HEADER] and csv.given(CSV_COLUMNS):
        problems.add(
            csv.key_place(CSV_COLUMNS),
            "`columns` is given although the files have a header",
            expected="`header: false`",
            remedy="Remove `columns`, or declare `header: false`.",
        )
    if not csv[HEADER] and not csv.given(CSV_COLUMNS):
        problems.add(
            csv.place(HEADER),
            "The columns have no names",
            expected="`columns`, as the files have no header",
            remedy="List the names under `columns`, in order.",
        )
    node = csv.node.get(CSV_COLUMNS.name)
    seen: set[str] = set()
    for item in node.items if isinstance(node, Items) else ():
        if isinstance(item, Scalar) and item.text in seen:
            problems.add(item.place, f"The column `{item.text}` stands twice", remedy="Give each column its own name.")
        elif isinstance(item, Scalar):
            seen.add(item.text)


def _judge_delivery(delivery: Fields, problems: Problems) -> None:
    if delivery.valid(PATTERN) and delivery[PATTERN] is not None:
        _judge_pattern(delivery, delivery[PATTERN] or "", problems)
    if not delivery.valid(MODE):
        return
    versions = [key for key in (PATTERN, VERSION_COLUMN) if delivery.given(key)]
    if delivery[MODE] is DeliveryMode.APPEND:
        for key in versions:
            problems.add(
                delivery.key_place(key),
                f"`{key.name}` has no meaning for a delivery of mode `append`",
                expected="mode `replace_file`",
                remedy="Remove it, or change the mode.",
            )
    elif not versions:
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


def _judge_pattern(delivery: Fields, pattern: str, problems: Problems) -> None:
    try:
        groups = set(re.compile(pattern).groupindex)
    except (re.error, OverflowError, RecursionError) as error:
        problems.add(
            delivery.place(PATTERN),
            "`pattern` is not a regular expression",
            found=str(error),
            remedy="Write for example `(?P<name>.+)_v(?P<version>[0-9]+)[.]csv`.",
        )
        return
    for group in ("name", "version"):
        if group not in groups:
            problems.add(
                delivery.place(PATTERN),
                f"`pattern` has no group `{group}`",
                subject=group,
                expected=f"`(?P<{group}>...)`",
                found=f"`{pattern}`",
                remedy="Write for example `(?P<name>.+)_v(?P<version>[0-9]+)[.]csv`.",
            )


def _judge_reading(reading: Fields, problems: Problems) -> None:
    thousands = reading.get(THOUSANDS_SEPARATOR)
    if thousands is None:
        return
    if thousands.isdigit() or thousands in "+-eE":
        problems.add(
            reading.place(THOUSANDS_SEPARATOR),
            "`thousands_separator` is part of a number",
            found=f"`{thousands}`",
            remedy='Write the character that groups digits, for example `" "`.',
        )
    if reading.valid(DECIMAL_SEPARATOR) and thousands == reading[DECIMAL_SEPARATOR]:
        problems.add(
            reading.place(THOUSANDS_SEPARATOR),
            "`thousands_separator` and `decimal_separator` are the same character",
            found=f"`{thousands}`",
            remedy="Choose another character for one of them.",
        )
