"""`sources/*.yml`: where rows come from and how their text is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from penstock.spec.delivery_file import DELIVERY, VERSION_FORMAT, judge_delivery, make_delivery
from penstock.spec.document import Items, Node, Place, Scalar
from penstock.spec.environment import expand
from penstock.spec.fingerprint import fingerprint
from penstock.spec.problems import Problems
from penstock.spec.reading_formats import is_time_format, is_timezone
from penstock.spec.scalars import CHARACTER, DURATION, FLAG, NAME, PROSE, TEXT, VALUE, WORDS
from penstock.spec.shape import Choice, Fields, Many, Pairs, Parsed, Section, default, optional, required
from penstock.spec.source import Csv, Delivery, FileFormat, Reading, Source

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

COLUMNS = optional(
    "columns",
    Pairs(WORDS, "column of the contract"),
    "Source column for each column named otherwise. A column of the contract's own name beside it is not read, and told.",
)
CONSTANTS = optional(
    "constants",
    Pairs(VALUE, "column of the contract"),
    "Value of each column that the files do not have: text, number or flag; dates and timestamps as ISO 8601.",
)
SAME_AS = optional(
    "same_as",
    Pairs(NAME, "column of the contract"),
    "Other column of the contract whose value each of these has too, where the files say it once.",
)
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
    (
        COLUMNS,
        CONSTANTS,
        SAME_AS,
        NULL_VALUES,
        DECIMAL_SEPARATOR,
        THOUSANDS_SEPARATOR,
        TIMEZONE,
        TIMESTAMP_FORMAT,
        DATE_FORMAT,
    ),
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
        judge_delivery(delivery, problems)
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
    csv, delivery, reading = _csv(fields), make_delivery(fields[DELIVERY_KEY]), _reading(fields)
    meaning: dict[str, object] = {
        "name": fields[SOURCE_NAME],
        "dataset": fields[DATASET],
        "files": fields[FILES],
        "format": fields[FORMAT],
        "compression": fields[COMPRESSION],
        "csv": asdict(csv),
        "delivery": _meant(asdict(delivery), Delivery()),
        "reading": _meant(asdict(reading), Reading()),
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


def _meant(facts: dict[str, object], plain: Delivery | Reading) -> dict[str, object]:
    """Without what is as it always was before it could be declared, so that fingerprints made then still hold."""
    younger = ("version", "version_format", "max_deleted", "constants", "same_as")
    return {name: value for name, value in facts.items() if name not in younger or value != getattr(plain, name)}


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


def _reading(fields: Fields) -> Reading:
    section, delivery = fields[READING_KEY], fields[DELIVERY_KEY]
    version_format = None if delivery is None else delivery[VERSION_FORMAT]
    if section is None:
        return Reading(version_format=version_format)
    mapping, constants, copies = section[COLUMNS], section[CONSTANTS], section[SAME_AS]
    return Reading(
        constants=() if constants is None else tuple(sorted(constants)),
        same_as=() if copies is None else tuple(sorted(copies)),
        version_format=version_format,
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
