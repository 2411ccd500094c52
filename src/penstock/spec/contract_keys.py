"""The part of the Open Data Contract Standard that Penstock acts upon, and its extensions.

Every other key of the standard may be used as documentation. The sections are open: the standard's
own schema refuses what it does not know.
"""

from __future__ import annotations

from penstock.spec.contract import Classification, Evolution, Format, LogicalType
from penstock.spec.document import Node
from penstock.spec.scalars import DURATION, FLAG, NAME, PROSE, TEXT, WORDS
from penstock.spec.shape import (
    Anything,
    Choice,
    Fields,
    Key,
    Many,
    Parsed,
    Section,
    ValueType,
    default,
    optional,
    required,
)


def _node(label: str) -> ValueType[Node]:
    return Anything(label)


STANDARD_VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")

_API_VERSION: Choice[str] = Choice(tuple((version, version) for version in STANDARD_VERSIONS))
_LOGICAL_TYPE: Choice[LogicalType] = Choice(
    tuple((kind.value, kind) for kind in LogicalType if kind is not LogicalType.DECIMAL)
)
_FORMAT: Choice[Format] = Choice(tuple((kind.value, kind) for kind in Format))
_CLASSIFICATION: Choice[Classification] = Choice(
    (
        ("public", Classification.PUBLIC),
        ("internal", Classification.INTERNAL),
        ("pseudonym", Classification.PSEUDONYM),
        ("pseudonymous", Classification.PSEUDONYM),
        ("personal", Classification.PERSONAL),
        ("pii", Classification.PERSONAL),
        ("sensitive", Classification.PERSONAL),
    )
)
_TRANSFORM: Choice[str] = Choice(tuple((word, word) for word in ("identity", "year", "month", "day", "hour")))
_LENGTH: Parsed[int] = Parsed(
    "whole number",
    lambda text: int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None,
    "Write for example `12`.",
    text_only=False,
)
_BOUND = _node("value of the column's type")
_POSITION: Parsed[int] = Parsed(
    "whole number",
    lambda text: int(text) if text.lstrip("-").isdigit() and len(text) < 6 and text.isascii() else None,
    "Count from 1.",
    text_only=False,
)

# customProperties
PROPERTY = required("property", WORDS, "Name of the property.")
PROPERTY_VALUE: Key[Node] = required("value", _node("any"), "Value of the property.")
CUSTOM = Section("a custom property", (PROPERTY, PROPERTY_VALUE), closed=False)

ORDER_BY = optional("order_by", NAME, "The column whose highest value wins; equal values are settled by content.")
HORIZON = optional(
    "horizon", DURATION, "For how long after its first version a row may still be corrected; for ever when not given."
)
DEDUPE = Section("the de-duplication", (ORDER_BY, HORIZON))

DEDUPE_KEY = optional("penstock.dedupe", DEDUPE, "Which version of a row wins when a key arrives more than once.")
EVOLUTION_KEY = default(
    "penstock.evolution",
    Choice(tuple((mode.value, mode) for mode in Evolution)),
    "What happens to a column that the contract does not name. `evolve`: it is kept in bronze. `freeze`: the file is "
    "refused. `discard_value`: its values are dropped and counted. `discard_row`: rows with a value in it are "
    "left out and counted.",
    Evolution.EVOLVE,
)
PARTITION_KEY = default(
    "penstock.partition", _TRANSFORM, "How the values of a partitioned column are grouped.", "identity"
)
ALIASES_KEY = default("penstock.aliases", Many(WORDS), "Other names a delivery may use for the column.", ())
OBJECT_EXTENSIONS = Section("the dataset", (DEDUPE_KEY, EVOLUTION_KEY))
COLUMN_EXTENSIONS = Section("a column", (PARTITION_KEY, ALIASES_KEY))

# quality
RULE_NAME = optional("name", WORDS, "Name of the rule; rejected rows carry it as their code.")
RULE_TYPE = default("type", TEXT, "`custom` for a rule of Penstock; `text` is documentation.", "library")
RULE_ENGINE = optional("engine", TEXT, "`penstock`. Rules of other engines are left to them.")
RULE_IMPLEMENTATION: Key[Node | None] = optional(
    "implementation",
    _node("text"),
    "SQL condition over the columns of one row; rows for which it is false are rejected.",
)
RULE_METRIC = optional(
    "metric", TEXT, "Standard library, on a column: `nullValues` or `invalidValues`, with `mustBe: 0`."
)
RULE_ARGUMENTS: Key[Node | None] = optional("arguments", _node("mapping"), "invalidValues: `validValues` or `pattern`.")
RULE_MUST_BE: Key[Node | None] = optional("mustBe", _node("0"), "How many rows may break the rule.")
RULE_DESCRIPTION = default("description", PROSE, "What the rule means.", "")
RULE = Section(
    "a quality rule",
    (
        RULE_NAME,
        RULE_TYPE,
        RULE_ENGINE,
        RULE_IMPLEMENTATION,
        RULE_METRIC,
        RULE_ARGUMENTS,
        RULE_MUST_BE,
        RULE_DESCRIPTION,
    ),
    closed=False,
)

# relationships
TO: Key[Node] = required(
    "to", _node("`dataset.column` or list of it"), "The column of another dataset that is referred to."
)
FROM: Key[Node | None] = optional(
    "from", _node("`dataset.column` or list of it"), "On the dataset: the referring columns."
)
RELATIONSHIP = Section("a relationship", (FROM, TO), closed=False)

# logicalTypeOptions
MIN_LENGTH = optional("minLength", _LENGTH, "string: the smallest number of characters.")
MAX_LENGTH = optional("maxLength", _LENGTH, "string: the greatest number of characters.")
PATTERN = optional("pattern", TEXT, "string: RE2 pattern that must match somewhere; anchor it to match the whole.")
OPTION_FORMAT = optional(
    "format",
    TEXT,
    "string: `email`, `uuid`, `ipv4`, `ipv6` or `uri`. integer: `i8`, `i16`, `i32`, `i64`, `u8`, `u16`, `u32`.",
)
MINIMUM: Key[Node | None] = optional("minimum", _BOUND, "The lowest value.")
MAXIMUM: Key[Node | None] = optional("maximum", _BOUND, "The highest value.")
EXCLUSIVE_MINIMUM: Key[Node | None] = optional("exclusiveMinimum", _BOUND, "Values lie above it.")
EXCLUSIVE_MAXIMUM: Key[Node | None] = optional("exclusiveMaximum", _BOUND, "Values lie below it.")
TIMEZONE = default("timezone", FLAG, "timestamp: always true, as silver holds instants in UTC.", True)
DEFAULT_TIMEZONE = default(
    "defaultTimezone", TEXT, "timestamp: always UTC; the source declares the zone of its files.", "UTC"
)
MULTIPLE_OF: Key[Node | None] = optional("multipleOf", _node("number"), "Not checked: declare a rule.")
OPTIONS = Section(
    "the options of a type",
    (
        MIN_LENGTH,
        MAX_LENGTH,
        PATTERN,
        OPTION_FORMAT,
        MINIMUM,
        MAXIMUM,
        EXCLUSIVE_MINIMUM,
        EXCLUSIVE_MAXIMUM,
        TIMEZONE,
        DEFAULT_TIMEZONE,
        MULTIPLE_OF,
    ),
    closed=False,
)

# properties
ENUM_VALUE: Key[Node] = required("value", _node("value of the column's type"), "A permitted value.")
ENUM = Section("a permitted value", (ENUM_VALUE,), closed=False)
COLUMN_ID = required("id", WORDS, "Stable id of the column: it survives a rename, so never give it to another column.")
COLUMN_NAME = required("name", NAME, "Name of the column.")
LOGICAL_TYPE = required("logicalType", _LOGICAL_TYPE, "Type of the values.")
PHYSICAL_TYPE = optional(
    "physicalType", TEXT, "With logicalType `number`: `decimal(18,4)` makes it exact; a 64-bit float otherwise."
)
COLUMN_DESCRIPTION = default("description", PROSE, "What the column means.", "")
REQUIRED = default("required", FLAG, "Whether a row without the value is rejected.", False)
UNIQUE = default("unique", FLAG, "Not checked for single columns: declare the key, or a check of kind `rows`.", False)
PRIMARY_KEY = default("primaryKey", FLAG, "Whether the column is part of the key.", False)
PRIMARY_KEY_POSITION = default("primaryKeyPosition", _POSITION, "Place in the key, from 1.", -1)
PARTITIONED = default("partitioned", FLAG, "Whether silver is partitioned by the column.", False)
PARTITION_KEY_POSITION = default("partitionKeyPosition", _POSITION, "Place in the partition, from 1.", -1)
CLASSIFICATION = default(
    "classification",
    _CLASSIFICATION,
    "How personal the values are: `public`, `internal`, `pseudonym` or `personal` (also `pii`, `sensitive`).",
    Classification.INTERNAL,
)
TYPE_OPTIONS = optional("logicalTypeOptions", OPTIONS, "What values must satisfy.")
COLUMN_ENUM = optional("enum", Many(ENUM), "The permitted values.")
COLUMN_RELATIONSHIPS: Key[tuple[Fields, ...]] = default(
    "relationships", Many(RELATIONSHIP), "The column refers to rows of another dataset; checked at the gate.", ()
)
COLUMN_QUALITY: Key[tuple[Fields, ...]] = default("quality", Many(RULE), "Rules about the column.", ())
COLUMN_CUSTOM: Key[tuple[Fields, ...]] = default("customProperties", Many(CUSTOM), "Extensions.", ())
COLUMN = Section(
    "a column",
    (
        COLUMN_ID,
        COLUMN_NAME,
        LOGICAL_TYPE,
        PHYSICAL_TYPE,
        COLUMN_DESCRIPTION,
        REQUIRED,
        UNIQUE,
        PRIMARY_KEY,
        PRIMARY_KEY_POSITION,
        PARTITIONED,
        PARTITION_KEY_POSITION,
        CLASSIFICATION,
        TYPE_OPTIONS,
        COLUMN_ENUM,
        COLUMN_RELATIONSHIPS,
        COLUMN_QUALITY,
        COLUMN_CUSTOM,
    ),
    closed=False,
)

# schema
DATASET = required("name", NAME, "Name of the dataset; its rows are the table `silver.<name>`.")
DATASET_DESCRIPTION = default("description", PROSE, "What one row is.", "")
COLUMNS = required("properties", Many(COLUMN, at_least=1), "The columns, in order.")
RELATIONSHIPS: Key[tuple[Fields, ...]] = default(
    "relationships", Many(RELATIONSHIP), "References made of several columns; checked at the gate.", ()
)
QUALITY: Key[tuple[Fields, ...]] = default("quality", Many(RULE), "Rules about a row.", ())
CUSTOM_PROPERTIES: Key[tuple[Fields, ...]] = default("customProperties", Many(CUSTOM), "Extensions.", ())
DATASET_SECTION = Section(
    "a dataset", (DATASET, DATASET_DESCRIPTION, COLUMNS, RELATIONSHIPS, QUALITY, CUSTOM_PROPERTIES), closed=False
)

# contract
API_VERSION = required("apiVersion", _API_VERSION, "Version of the standard.")
KIND: Key[str] = required("kind", Choice((("DataContract", "DataContract"),)), "`DataContract`.")
CONTRACT_ID = required("id", WORDS, "Identifier of the contract, unique wherever it is published.")
VERSION = required("version", WORDS, "Version of the contract.")
PURPOSE = default("purpose", PROSE, "What the dataset is for; used when the dataset has no description.", "")
DESCRIPTION_SECTION = Section("the description", (PURPOSE,), closed=False)
DESCRIPTION = optional("description", DESCRIPTION_SECTION, "What the dataset is for, and its limits.")
TEAM: Key[Node | None] = optional("team", _node("mapping"), "Who answers for the dataset: `name` is its owner.")
SCHEMA = required("schema", Many(DATASET_SECTION, at_least=1), "Exactly one dataset.")
SLA_PROPERTY = required("property", TEXT, "`freshness` (or `latency`); others are documentation.")
SLA_VALUE: Key[Node] = required("value", _node("number, or ISO 8601 duration"), "The greatest age of the newest row.")
SLA_UNIT = optional("unit", TEXT, "Unit of the number: `d`, `h`, `m` or `s`.")
SLA_ELEMENT = optional("element", TEXT, "The dataset; the age is counted from the arrival of its newest row.")
SLA = Section("a service level", (SLA_PROPERTY, SLA_VALUE, SLA_UNIT, SLA_ELEMENT), closed=False)
SLA_PROPERTIES: Key[tuple[Fields, ...]] = default("slaProperties", Many(SLA), "Promises about the dataset.", ())
CONTRACT = Section(
    "a data contract",
    (API_VERSION, KIND, CONTRACT_ID, VERSION, DESCRIPTION, TEAM, SCHEMA, SLA_PROPERTIES, CUSTOM_PROPERTIES),
    closed=False,
)
