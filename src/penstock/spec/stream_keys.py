"""The keys of `streams/*.yml`."""

from __future__ import annotations

import re

from penstock.spec.scalars import COUNT, DURATION, FLAG, NAME, NUMBER, PROSE, WORDS
from penstock.spec.shape import Choice, Many, Pairs, Parsed, Section, default, optional, required
from penstock.spec.stream import Aggregate, Direction, EventTime, Measure, Running, Topic, TopicFormat

_USUAL = EventTime()
_MEASURE = re.compile(r"([a-z]+)(?:\( *(?:([0-9]{1,3}) *, *)?([A-Za-z_][A-Za-z0-9_]{0,126}) *\))?")


def is_column(text: str) -> bool:
    """Whether a column may be called so: names that begin with `_` belong to the system."""
    return re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,126}", text) is not None


def _column(text: str) -> str | None:
    return text if is_column(text) else None


def _measure(text: str) -> Aggregate | None:
    """A measure without the name of its column."""
    match = _MEASURE.fullmatch(text.strip())
    if match is None or match[1] not in set(Measure):
        return None
    measure, most, column = Measure(match[1]), match[2], match[3]
    if (measure is Measure.TOP) != (most is not None) or (column is None and measure is not Measure.COUNT):
        return None
    return Aggregate("", measure, column, None if most is None else int(most)) if most != "0" else None


def _table(text: str) -> str | None:
    return text if re.fullmatch(r"(?:silver|gold)\.[a-z][a-z0-9_]{0,62}", text) else None


COLUMN: Parsed[str] = Parsed("name of a column", _column, "Name a column.")
MEASURE: Parsed[Aggregate] = Parsed(
    "measure",
    _measure,
    "Write `count`, or `count`, `sum`, `mean`, `min`, `max`, `distinct`, `first` or `last` of a column as `sum(fee)`, "
    "or `top(3, title)`.",
)

TOPIC_NAME = required("name", NAME, "Name of the topic; its raw rows are the table `bronze.<name>`.")
TOPIC_DESCRIPTION = default("description", PROSE, "What happens when a row is written.", "")
DATASET = required("dataset", NAME, "The dataset these rows belong to: the contract they must meet.")
TOPIC_KEY = default("key", Many(COLUMN), "Columns whose equal values keep their order: they go to one partition.", ())
TIME_COLUMN = required("time", COLUMN, "The timestamp of the contract that says when it happened.")
PARTITIONS = default("partitions", COUNT, "How many parts the topic has.", Topic.partitions)
RETENTION = optional("retention", DURATION, "For how long rows stay in the topic; for ever when not given.")
MAX_BYTES = optional("max_bytes", COUNT, "How large the topic may grow before its oldest rows go.")
FORMAT = default(
    "format",
    Choice(tuple((kind.value, kind) for kind in TopicFormat)),
    "`columns`: rows typed as the contract says. `json`: each row is the bytes of one JSON object.",
    Topic.format,
)
LAKE = default("lake", FLAG, "Whether rows go on to bronze, silver and quarantine, as rows of files do.", Topic.lake)
TOPIC = Section(
    "a topic",
    (TOPIC_NAME, TOPIC_DESCRIPTION, DATASET, TOPIC_KEY, TIME_COLUMN, PARTITIONS, RETENTION, MAX_BYTES, FORMAT, LAKE),
)

LATENESS = default("lateness", DURATION, "How far behind the latest event the watermark lies.", _USUAL.lateness)
SKEW = default("skew", DURATION, "How far beyond the clock an event may be dated.", _USUAL.skew)
IDLE = default("idle", DURATION, "After how long without events a partition holds nobody back.", _USUAL.idle)
TIME = Section("the event time", (LATENESS, SKEW, IDLE))

FILTER = optional("filter", WORDS, "SQL condition over a row; rows for which it is not true are filtered.")
DERIVE = optional("derive", Pairs(WORDS, "column", at_least=1), "Columns to add, each a SQL expression over the row.")

DEDUPLICATE_KEY = required("key", Many(COLUMN, at_least=1), "What names a row: the first row of it is kept.")
HORIZON = required("horizon", DURATION, "For how long of event time a key is remembered.")
DEDUPLICATE = optional(
    "deduplicate", Section("a de-duplication", (DEDUPLICATE_KEY, HORIZON)), "Keeps the first row of each key."
)

TABLE = required(
    "table",
    Parsed("`silver.table` or `gold.table`", _table, "Write the layer and the name of the table."),
    "The table that is looked up, as of a release.",
)
ON = required(
    "on", Pairs(COLUMN, "column", at_least=1), "Columns of the rows, each with the column of the table it must equal."
)
LOOKUP_COLUMNS = required(
    "columns", Pairs(COLUMN, "column", at_least=1), "Columns to add, each with the column of the table."
)
LOOKUP = optional(
    "lookup", Section("a look-up", (TABLE, ON, LOOKUP_COLUMNS)), "Adds columns of a table; null where nothing is found."
)

RUNNING_KEY = required("key", Many(COLUMN, at_least=1), "Whose statistics they are.")
VALUE = required("value", COLUMN, "The number they are of.")
INTO_COUNT = optional("count", NAME, "Column to add: how many earlier rows there are.")
INTO_MEAN = optional("mean", NAME, "Column to add: the mean of the earlier rows.")
INTO_DEVIATION = optional(
    "deviation", NAME, "Column to add: the standard deviation of the earlier rows (of a sample, n - 1)."
)
INTO_SCORE = optional("score", NAME, "Column to add: how many standard deviations the row lies above that mean.")
INTO_FLAG = optional("flag", NAME, "Column to add: whether the score lies above `threshold`.")
MINIMUM = default("minimum", COUNT, "How many earlier rows it takes for a score.", Running.minimum)
THRESHOLD = default("threshold", NUMBER, "The score above which a row is flagged.", Running.threshold)
STATISTICS = (INTO_COUNT, INTO_MEAN, INTO_DEVIATION, INTO_SCORE, INTO_FLAG)
RUNNING = optional(
    "running",
    Section(
        "running statistics",
        (RUNNING_KEY, VALUE, *STATISTICS, MINIMUM, THRESHOLD),
    ),
    "Adds statistics of the earlier rows of the same key, in the order of the log.",
)

SIZE = optional("size", DURATION, "Length of a window; windows begin at multiples of it.")
SLIDE = optional("slide", DURATION, "A window of `size` begins at every multiple of this.")
GAP = optional("gap", DURATION, "A session ends when nothing happens for so long.")
BY = default("by", Many(COLUMN), "Whose window it is.", ())
AGGREGATES = required(
    "aggregates",
    Pairs(MEASURE, "column", at_least=1),
    "Columns of a window, each with what it measures: `count`, or `count`, `sum`, `mean`, `min`, `max`, `distinct`, `first` or"
    " `last` of a column as `sum(fee)`, or `top(3, title)`.",
)
WINDOW = optional(
    "window",
    Section("a window", (SIZE, SLIDE, GAP, BY, AGGREGATES)),
    "One row for each window and key: `window_start`, `window_end`, the key, the measures, then `version` and "
    "`final`. A window is given at once and corrected by a higher version until the watermark has passed it.",
)

OTHER = required("with", NAME, "The topic or step of the other side.")
JOIN_ON = required(
    "on", Pairs(COLUMN, "column", at_least=1), "Columns of this side, each with the column of the other it equals."
)
TOLERANCE = required("tolerance", DURATION, "How far apart in event time the two may lie.")
DIRECTION = default(
    "direction",
    Choice(tuple((direction.value, direction) for direction in Direction)),
    "`backward`: the last one before. `forward`: the first one after. `nearest`: the nearer of the two, of equally "
    "near ones the earlier.",
    Direction.NEAREST,
)
JOIN_COLUMNS = required(
    "columns", Pairs(COLUMN, "column", at_least=1), "Columns to add, each with the column of the other side."
)
IDENTITY = required("identity", Many(COLUMN, at_least=1), "What names a row of this side: corrections go by it.")
TIES = default("ties", Many(COLUMN), "Columns of the other side: of rows at one time the lowest counts.", ())
JOIN = optional(
    "join",
    Section("a join", (OTHER, JOIN_ON, TOLERANCE, DIRECTION, JOIN_COLUMNS, IDENTITY, TIES)),
    "Each row with the row of the other side that is closest in event time; then `version` and `final`.",
)

UNION = optional(
    "union",
    Many(NAME, at_least=1),
    "Rows of these topics or earlier steps too. All have the same columns; rows of one key come from one of them.",
)

MODEL = required("model", NAME, "Name of the model.")
SCORE_COLUMNS = required("columns", Many(COLUMN, at_least=1), "What the model is shown, in this order.")
INTO = required("into", NAME, "Column to add: what the model says.")
SCORE = optional("score", Section("a score", (MODEL, SCORE_COLUMNS, INTO)), "Adds what a model says of a row.")

STEP_NAME = optional("name", NAME, "Name of the step, for `from` and `with`; its kind when not given.")
FROM = optional("from", NAME, "The topic or earlier step whose rows it takes; the step before when not given.")
OPERATIONS = (FILTER, DERIVE, DEDUPLICATE, LOOKUP, RUNNING, WINDOW, JOIN, UNION, SCORE)
STEP = Section("a step", (STEP_NAME, FROM, *OPERATIONS))

OUT_TOPIC = optional("topic", NAME, "The topic that the rows are written to.")
OUT_LIVE = optional("live", NAME, "The live table whose rows, by `key`, these replace.")
OUT_KEY = default("key", Many(COLUMN), "What names a row of the live table; what goes to one partition.", ())
WHERE = optional("where", WORDS, "SQL condition: only rows for which it is true.")
OUT_COLUMNS = default("columns", Many(COLUMN), "The columns, in this order; all of them when not given.", ())
OUT_RETENTION = optional("retention", DURATION, "For how long rows stay in the topic; for ever when not given.")
OUT_DESCRIPTION = default("description", PROSE, "What the rows are.", "")
OUTPUT = Section("an output", (OUT_TOPIC, OUT_LIVE, FROM, OUT_KEY, WHERE, OUT_COLUMNS, OUT_RETENTION, OUT_DESCRIPTION))

TOPOLOGY_NAME = required("name", NAME, "Name of the topology, unique in the project.")
TOPOLOGY_DESCRIPTION = default("description", PROSE, "What it is for.", "")
INPUT = required("input", NAME, "The topic that the first step reads.")
TIME_KEY = optional("time", TIME, "How far event time follows the rows.")
STEPS = default("steps", Many(STEP), "What is done, in this order.", ())
OUTPUTS = required("outputs", Many(OUTPUT, at_least=1), "Where rows go.")
TOPOLOGY = Section("a topology", (TOPOLOGY_NAME, TOPOLOGY_DESCRIPTION, INPUT, TIME_KEY, STEPS, OUTPUTS))

SCORING_NAME = required("name", NAME, "Name of the model, for `score`.")
SCORING_PATH = required(
    "path", WORDS, "Python file in the folder of the project; its function `score(rows)` gives a number for each row."
)
SCORING_DESCRIPTION = default("description", PROSE, "What the score means.", "")
SCORING = Section("a model", (SCORING_NAME, SCORING_PATH, SCORING_DESCRIPTION))

TOPICS = default("topics", Many(TOPIC), "Events that somebody produces.", ())
TOPOLOGIES = default("topologies", Many(TOPOLOGY), "What is done with events.", ())
SCORING_MODELS = default("models", Many(SCORING), "Models that score rows.", ())
STREAM_FILE = Section("a file of streams", (TOPICS, TOPOLOGIES, SCORING_MODELS))
