"""Windows hold what plain lists hold, converge to the same final rows, and forget what is closed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.spec.stream import Aggregate, Measure, Window, WindowKind
from penstock.stream.stage import KeyedStage, Moment
from penstock.stream.watermark import BEGINNING
from penstock.stream.window import WindowStage
from tests.stream.recut import recut

START = datetime(2026, 3, 1, tzinfo=UTC)
SCHEMA = pa.schema(
    [
        ("at", pa.timestamp("us", tz="UTC")),
        ("member", pa.string()),
        ("fee", pa.decimal128(20, 2)),
        ("weight", pa.float64()),
        ("title", pa.string()),
        ("pages", pa.int32()),
    ]
)
AGGREGATES = (
    Aggregate("rows", Measure.COUNT),
    Aggregate("titles", Measure.COUNT, "title"),
    Aggregate("paid", Measure.SUM, "fee"),
    Aggregate("weighed", Measure.SUM, "weight"),
    Aggregate("pages", Measure.SUM, "pages"),
    Aggregate("average", Measure.MEAN, "fee"),
    Aggregate("least", Measure.MIN, "fee"),
    Aggregate("most", Measure.MAX, "weight"),
    Aggregate("first_title", Measure.FIRST, "title"),
    Aggregate("last_fee", Measure.LAST, "fee"),
    Aggregate("different", Measure.DISTINCT, "title"),
    Aggregate("top", Measure.TOP, "title", 2),
)
TUMBLING = Window(WindowKind.TUMBLING, ("member",), AGGREGATES, size=timedelta(seconds=10))
SLIDING = Window(WindowKind.SLIDING, ("member",), AGGREGATES, size=timedelta(seconds=12), slide=timedelta(seconds=3))
FINE = Window(WindowKind.SLIDING, ("member",), AGGREGATES, size=timedelta(seconds=20), slide=timedelta(seconds=1))

Row = Mapping[str, Any]
ROW = st.fixed_dictionaries(
    {
        "at": st.integers(0, 60).map(lambda seconds: START + timedelta(seconds=seconds)),
        "member": st.sampled_from(["ada", "bob", None]),
        "fee": st.one_of(st.none(), st.decimals(-50, 50, places=2), st.just(Decimal("99999999999999999.99"))),
        "weight": st.one_of(st.none(), st.integers(-99, 99).map(lambda n: n / 8), st.just(math.nan)),
        "title": st.one_of(st.none(), st.sampled_from(["Emma", "Ulysses", "Ada"])),
        "pages": st.one_of(st.none(), st.integers(-500, 500)),
    }
)
HISTORY = st.lists(ROW, max_size=25)
CUTS = st.lists(st.integers(0, 25), max_size=4)


def at(seconds: float) -> int:
    return int((START + timedelta(seconds=seconds)).timestamp() * 1_000_000)


def table(rows: Sequence[Row]) -> pa.Table:
    return pa.Table.from_pylist([dict(row) for row in rows], SCHEMA)


def aggregated(rows: Sequence[Row]) -> dict[str, Any]:
    """The twelve aggregates of some rows, from lists."""

    def of(name: str) -> list[Any]:
        return [row[name] for row in rows if row[name] is not None and row[name] == row[name]]

    def timed(name: str) -> list[tuple[datetime, Any]]:
        return [(row["at"], row[name]) for row in rows if row[name] is not None]

    fees, weights, titles = of("fee"), of("weight"), of("title")
    return {
        "rows": len(rows),
        "titles": len(titles),
        "paid": sum(fees, Decimal(0)) if fees else None,
        "weighed": sum(weights) if weights else None,
        "pages": sum(of("pages")) if of("pages") else None,
        "average": float(sum(map(Fraction, fees), Fraction(0)) / len(fees)) if fees else None,
        "least": min(fees, default=None),
        "most": max(weights, default=None),
        "first_title": min(timed("title"), default=(None, None))[1],
        "last_fee": max(timed("fee"), default=(None, None))[1],
        "different": len(set(titles)),
        "top": [title for title, _ in sorted(Counter(titles).items(), key=lambda one: (-one[1], one[0]))[:2]],
    }


def oracle(rows: Sequence[Row], window: Window) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Every window that holds a row, by start and member."""
    assert window.size is not None
    slide = window.slide or window.size
    held: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        start = START - 10 * window.size
        while start <= row["at"]:
            if row["at"] < start + window.size:
                held.setdefault((start, row["member"]), []).append(row)
            start += slide
    return {key: aggregated(rows) for key, rows in held.items()}


def by_window(rows: Iterable[Row]) -> dict[tuple[Any, ...], dict[str, Any]]:
    names = [one.name for one in AGGREGATES]
    return {(row["window_start"], row["member"]): {name: row[name] for name in names} for row in rows}


def close(found: Mapping[Any, dict[str, Any]], expected: Mapping[Any, dict[str, Any]]) -> bool:
    """Equal, the mean up to its last digits."""

    def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
        means = [one.pop("average"), other.pop("average")]
        return one == other and (means[0] == means[1] or math.isclose(*means, rel_tol=1e-14))

    return found.keys() == expected.keys() and all(same(dict(found[key]), dict(expected[key])) for key in found)


class Clocked:
    """A stage with a watermark that follows the latest row by a minute, and what it told."""

    def __init__(self, stage: KeyedStage) -> None:
        self.stage, self.watermark, self.told, self.late = stage, BEGINNING, list[Row](), list[Row]()

    def take(self, rows: Sequence[Row], *, until: float | None = None) -> list[Row]:
        latest = [at((row["at"] - START).total_seconds()) - 60_000_000 for row in rows]
        after = max([self.watermark, *latest, *([] if until is None else [at(until)])])
        made = self.stage.process((table(rows),), Moment(0, self.watermark, after))
        self.watermark = after
        self.late += [] if made.late is None else made.late.to_pylist()
        told: list[Row] = made.rows.to_pylist()
        self.told += told
        return told

    @property
    def finals(self) -> list[Row]:
        return [row for row in self.told if row["final"]]


@pytest.mark.parametrize("window", [TUMBLING, SLIDING], ids=["tumbling", "sliding"])
def test_final_windows_hold_what_lists_hold_whatever_the_order_and_the_cut(window: Window) -> None:
    @settings(max_examples=60)
    @given(HISTORY, CUTS, st.randoms(use_true_random=False))
    def holds(rows: list[Row], cuts: list[int], random: Any) -> None:
        expected = oracle(rows, window)
        random.shuffle(rows)
        clocked = Clocked(WindowStage(window, SCHEMA, "at"))
        for batch in recut(rows, cuts):
            clocked.take(batch)
        clocked.take([], until=200)
        assert close(by_window(clocked.finals), expected)
        assert len(clocked.finals) == len(expected)
        assert {row["window_start"]: row["version"] - 1 for row in clocked.finals if row["member"] == "ada"} == {
            start: values["rows"] for (start, member), values in expected.items() if member == "ada"
        }
        assert clocked.stage.size() == 0

    holds()


@pytest.mark.parametrize("window", [SLIDING, FINE], ids=["four panes", "twenty panes"])
def test_each_round_tells_of_sliding_windows_what_lists_hold_by_then(window: Window) -> None:
    """Late rows, keys that come again after a gap and panes without rows included."""
    assert window.size is not None
    assert window.slide is not None
    slide, length = window.slide.seconds, window.size.seconds

    @settings(max_examples=30)
    @given(HISTORY, CUTS, st.lists(st.integers(0, 70), max_size=5))
    def holds(rows: list[Row], cuts: list[int], advances: list[int]) -> None:
        clocked, counted = Clocked(WindowStage(window, SCHEMA, "at")), list[Row]()
        for number, batch in enumerate([*recut(rows, cuts), []]):
            before, steps = clocked.watermark, [*advances, *[0] * 9]
            told = clocked.take(batch, until=steps[number] if batch else 200)
            ends = {id(row): (row["at"] - START).seconds // slide * slide + slide for row in batch}
            on_time = [row for row in batch if at(ends[id(row)] - slide + length) > before]
            counted += on_time
            expected = oracle(counted, window)
            closing = {
                key for key in expected if before < at((key[0] - START).total_seconds() + length) <= clocked.watermark
            }
            open_ones = {
                (START + timedelta(seconds=ends[id(row)] - length), row["member"])
                for row in on_time
                if at(ends[id(row)]) > max(before, clocked.watermark)
            }
            finals, others = ([row for row in told if row["final"] is final] for final in (True, False))
            assert close(by_window(finals), {key: expected[key] for key in closing})
            assert close(by_window(others), {key: expected[key] for key in open_ones})
            assert [row["window_end"] for row in finals] == sorted(row["window_end"] for row in finals)

    holds()


def test_the_most_frequent_of_a_sliding_window_changes_when_the_frequent_one_slides_out() -> None:
    clocked = Clocked(WindowStage(SLIDING, SCHEMA, "at"))
    titles = {0: "Emma", 1: "Emma", 4: "Ada", 13: "Ada", 14: None, 40: "Ulysses"}
    clocked.take([row(seconds, title=title) for seconds, title in titles.items()])

    told = {(one["window_end"] - START).seconds: one for one in clocked.take([], until=200)}

    assert [(end, *one["top"]) for end, one in sorted(told.items())] == [
        (3, "Emma"),
        *((end, "Emma", "Ada") for end in (6, 9, 12)),
        *((end, "Ada") for end in (15, 18, 21, 24)),
        *((end, "Ulysses") for end in (42, 45, 48, 51)),
    ]
    assert [told[end]["different"] for end in (3, 6, 15, 24, 51)] == [1, 2, 1, 1, 1]


@pytest.mark.parametrize("window", [TUMBLING, SLIDING], ids=["tumbling", "sliding"])
def test_a_restart_from_snapshot_and_deltas_goes_on_as_if_nothing_had_been(window: Window) -> None:
    @settings(max_examples=40)
    @given(HISTORY, CUTS, st.lists(st.integers(0, 70), max_size=5))
    def holds(rows: list[Row], cuts: list[int], advances: list[int]) -> None:
        steady, restarted = (Clocked(WindowStage(window, SCHEMA, "at")) for _ in range(2))
        snapshot, deltas = restarted.stage.snapshot()(), list[bytes]()
        for number, batch in enumerate(recut(rows, cuts)):
            until = advances[number] if number < len(advances) else None
            assert repr(restarted.take(batch, until=until)) == repr(steady.take(batch, until=until))
            deltas.append(restarted.stage.delta())
            if number == 1:
                snapshot, deltas = restarted.stage.snapshot()(), []
            restarted.stage = WindowStage(window, SCHEMA, "at")
            restarted.stage.restore(snapshot, tuple(deltas))
        assert repr(restarted.take([], until=200)) == repr(steady.take([], until=200))
        assert repr(restarted.late) == repr(steady.late)

    holds()


@pytest.mark.parametrize("window", [TUMBLING, SLIDING], ids=["tumbling", "sliding"])
def test_state_read_while_rounds_go_on_is_whole_with_the_deltas_since(
    window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many rounds come between the moment of the snapshot and its bytes, also those that number cells anew."""
    monkeypatch.setattr("penstock.stream.cells._FEW", 0)

    @settings(max_examples=40)
    @given(HISTORY, CUTS, st.integers(0, 5))
    def holds(rows: list[Row], cuts: list[int], asked_for: int) -> None:
        steady, restarted = (Clocked(WindowStage(window, SCHEMA, "at")) for _ in range(2))
        frozen, deltas = steady.stage.snapshot(), list[bytes]()
        for number, batch in enumerate(recut(rows, cuts)):
            restarted.take(batch), steady.take(batch)
            deltas.append(steady.stage.delta())
            if number == asked_for:
                frozen, deltas = steady.stage.snapshot(), []
        restarted.stage.restore(frozen(), tuple(deltas))
        assert repr(restarted.take([], until=200)) == repr(steady.take([], until=200))

    holds()


def test_windows_that_end_at_once_are_final_one_part_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the cut and the restarts, every window becomes final once, in one order, no round with more than it may,
    and each is what lists hold."""
    monkeypatch.setattr("penstock.stream.window._AT_ONCE", 2)
    monkeypatch.setattr("penstock.stream.window._ALONE", 3)
    monkeypatch.setattr("penstock.stream.cells._FEW", 0)

    @settings(max_examples=40)
    @given(st.lists(ROW.map(lambda row: {**row, "member": row["title"]}), max_size=25), CUTS)
    def holds(rows: list[Row], cuts: list[int]) -> None:
        steady, restarted = (Clocked(WindowStage(TUMBLING, SCHEMA, "at")) for _ in range(2))
        snapshot, deltas = restarted.stage.snapshot()(), list[bytes]()
        for batch in [*recut(rows, cuts), *[list[Row]()] * 20]:
            told = steady.take(batch, until=None if batch else 200)
            assert len([one for one in told if one["final"]]) <= (len(batch) + 2 if batch else 3)
            assert repr(restarted.take(batch, until=None if batch else 200)) == repr(told)
            deltas.append(restarted.stage.delta())
            restarted.stage = WindowStage(TUMBLING, SCHEMA, "at")
            restarted.stage.restore(snapshot, tuple(deltas))
        assert close(by_window(steady.finals), oracle(rows, TUMBLING))
        assert len(steady.finals) == len(oracle(rows, TUMBLING))
        assert [one["window_end"] for one in steady.finals] == sorted(one["window_end"] for one in steady.finals)
        assert steady.stage.size() == 0

    holds()


def test_windows_that_were_told_of_are_forgotten_though_others_wait_all_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every ten seconds fewer members come than before, so that more windows end than are told of"""
    monkeypatch.setattr("penstock.stream.window._AT_ONCE", 2)
    monkeypatch.setattr("penstock.stream.cells._FEW", 10)
    stage = WindowStage(TUMBLING, SCHEMA, "at")
    clocked, rows, cells = Clocked(stage), list[Row](), list[int]()
    for number in range(20):
        came = [row(10 * number, f"{member}") for member in range(100 - 4 * number)]
        clocked.take(came, until=10 * number)
        rows += came
        cells.append(stage._cells.count)

    waited = stage.size()
    for _ in range(100):
        clocked.take([], until=200)

    assert waited > 50
    assert max(cells) < 500 < len(rows)
    told = sorted((one["window_start"], one["member"]) for one in clocked.finals)
    assert told == sorted((one["at"], one["member"]) for one in rows)


def test_few_windows_are_told_of_beside_those_that_begin_unless_they_pile_up_or_many_rows_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """[0 .. 10) [10 .. 20) [20 .. 30): the second has ended before all of the first were told of"""
    monkeypatch.setattr("penstock.stream.window._AT_ONCE", 2)
    monkeypatch.setattr("penstock.stream.window._FEW", 20)
    clocked, told = Clocked(WindowStage(TUMBLING, SCHEMA, "at")), list[int]()
    clocked.take([row(0, f"{member}") for member in range(99)])
    for seconds, until, count in ((11, 10, 10), (12, 11, 30), (21, 20, 10)):
        came = [row(seconds, f"{seconds} {member}") for member in range(count)]
        told.append(len([one for one in clocked.take(came, until=until) if one["final"]]))

    assert told == [2, 30 + 2, 10 + 2]


def row(seconds: float, member: str = "ada", **values: Any) -> Row:
    return {"at": START + timedelta(seconds=seconds), "member": member, "fee": Decimal(1), **values}


@pytest.mark.parametrize("window", [TUMBLING, SLIDING], ids=["tumbling", "sliding"])
def test_windows_are_told_in_one_order_though_a_restart_numbers_the_keys_anew(window: Window) -> None:
    steady, restarted = (Clocked(WindowStage(window, SCHEMA, "at")) for _ in range(2))
    for one in (steady, restarted):
        one.take([row(1)])
        one.take([row(200, "bob")])  # and nothing of ada is open any more

    restarted.stage.restore(restarted.stage.snapshot()(), ())

    rows = [row(202, "bob"), row(212), row(212, "bob")]
    assert repr(restarted.take(rows)) == repr(steady.take(rows))
    assert repr(restarted.take([], until=300)) == repr(steady.take([], until=300))


def test_a_window_is_told_at_once_corrected_with_a_higher_version_and_final_behind_the_watermark() -> None:
    """[0 ..... 10) rows at 1, 8 and, late but within the allowance, at 2"""
    clocked = Clocked(WindowStage(TUMBLING, SCHEMA, "at"))

    told = [*clocked.take([row(1), row(8)]), *clocked.take([row(2)]), *clocked.take([], until=10)]

    assert [(one["rows"], one["version"], one["final"]) for one in told] == [(2, 2, False), (3, 3, False), (3, 4, True)]


def test_a_row_of_a_final_window_is_late_and_changes_nothing() -> None:
    clocked = Clocked(WindowStage(TUMBLING, SCHEMA, "at"))
    clocked.take([row(1)], until=10)

    assert clocked.take([row(9.9)]) == []
    assert [one["at"] for one in clocked.late] == [START + timedelta(seconds=9.9)]
    assert clocked.take([row(10)])[0]["rows"] == 1


def test_a_row_without_time_is_in_no_window() -> None:
    clocked = Clocked(WindowStage(TUMBLING, SCHEMA, "at"))

    made = clocked.stage.process((table([{**row(1), "at": None}]),), Moment(0, BEGINNING, BEGINNING))

    assert made.rows.num_rows == 0
    assert made.late is not None
    assert made.late.num_rows == 1


def test_a_row_that_is_late_for_some_sliding_windows_counts_for_the_others() -> None:
    """a row at 1 is in windows that end at 3, 6, 9 and 12; those up to 6 are final"""
    clocked = Clocked(WindowStage(SLIDING, SCHEMA, "at"))
    clocked.take([row(5)], until=6)
    clocked.take([row(1)])

    told = clocked.take([], until=30)

    assert [(one["window_end"] - START).seconds for one in told] == [9, 12, 15]
    assert [one["rows"] for one in told] == [2, 2, 1]
    assert clocked.late == []


def test_one_row_of_ten_years_ahead_waits_for_its_own_window() -> None:
    clocked = Clocked(WindowStage(TUMBLING, SCHEMA, "at"))
    years = 10 * 365 * 86_400.0

    clocked.stage.process((table([row(years), row(1)]),), Moment(0, BEGINNING, at(0)))

    made = clocked.stage.process((table([row(3)]),), Moment(0, at(0), at(10)))
    assert [(one["rows"], one["final"]) for one in made.rows.to_pylist()] == [(2, True)]
    assert clocked.stage.size() == 1


def test_a_row_of_the_year_9999_disturbs_no_sliding_window_of_a_millisecond() -> None:
    length = timedelta(milliseconds=1)
    window = Window(WindowKind.SLIDING, ("member",), AGGREGATES[:1], size=2 * length, slide=length)
    stage = WindowStage(window, SCHEMA, "at")
    far = {**row(0), "at": datetime(9999, 12, 31, tzinfo=UTC)}

    told = stage.process((table([row(1), far, row(1.001), row(1, "bob")]),), Moment(0, BEGINNING, at(0))).rows

    assert sorted((one["member"], one["rows"]) for one in told.to_pylist()) == [
        ("ada", 1),
        ("ada", 1),
        ("ada", 2),
        ("bob", 1),
    ]


KINDS = {
    "boolean": (pa.bool_(), [True, None, False], (False, True, 2, [False, True])),
    "date": (pa.date32(), [date(2026, 1, 2), date(2026, 1, 1), date(2026, 1, 2)],
             (date(2026, 1, 1), date(2026, 1, 2), 2, [date(2026, 1, 2), date(2026, 1, 1)])),
    "float": (pa.float64(), [0.5, math.inf, math.nan], (0.5, math.inf, 2, [0.5, math.inf])),
    "binary": (pa.binary(), [b"b", b"", None], (b"", b"b", 2, [b"", b"b"])),
    "instant": (pa.timestamp("us", tz="UTC"), [START, None, START], (START, START, 1, [START])),
}  # fmt: skip


@pytest.mark.parametrize(("kind", "values", "expected"), KINDS.values(), ids=KINDS.keys())
def test_values_of_any_kind_are_compared_and_counted(
    kind: pa.DataType, values: list[Any], expected: tuple[Any]
) -> None:
    measures = (Measure.MIN, Measure.MAX, Measure.DISTINCT, Measure.TOP)
    aggregates = tuple(Aggregate(str(one), one, "value", 2 if one is Measure.TOP else None) for one in measures)
    window = Window(WindowKind.TUMBLING, (), aggregates, size=timedelta(days=1))
    schema = pa.schema([("at", pa.timestamp("us", tz="UTC")), ("value", kind)])
    rows = pa.table([pa.array([START] * 3, schema.field(0).type), pa.array(values, kind)], schema=schema)

    told = WindowStage(window, schema, "at").process((rows,), Moment(0, BEGINNING, at(0))).rows.to_pylist()

    assert tuple(told[0][str(one)] for one in measures) == expected


def test_many_closed_windows_leave_nothing_behind() -> None:
    clocked = Clocked(WindowStage(TUMBLING, SCHEMA, "at"))
    for minute in range(40):
        clocked.take([row(60 * minute, member=f"member {number}") for number in range(100)], until=60 * minute)

    assert clocked.stage.size() == 100
    assert len(clocked.stage.snapshot()()) < 20_000
    assert len(clocked.finals) == 3_900


def test_windows_without_a_key_are_of_all_rows() -> None:
    window = Window(WindowKind.TUMBLING, (), (Aggregate("rows", Measure.COUNT),), size=timedelta(seconds=10))

    told = WindowStage(window, SCHEMA, "at").process((table([row(1), row(2, "bob")]),), Moment(0, BEGINNING, at(0)))

    assert [one["rows"] for one in told.rows.to_pylist()] == [2]
