"""Random contracts and the dirty text that real deliveries have."""

from __future__ import annotations

from datetime import UTC

from hypothesis import strategies as st

from penstock.spec.contract import Column, Format, LogicalType
from penstock.spec.source import Reading

ZONES = ("UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
ODDITIES = [
        "", " ", "NA", "NULL", "nan", "NaN", "inf", "-Infinity", "1e400", "-1e400", "1e-400", "17850", "17850.0",
        "17850.5", " 12x", " 12 ", "\t7\n", "0x1F", "1_000", "+5", "--5", "+", ".", ".5", "5.", "-.5", "-0", "-0.0",
        "1,5", "1.234,50", "1,234.50", "12,34", "1,2345", "9223372036854775807", "9223372036854775808",
        "-9223372036854775808.000", "007", "0.1e1", "1e5", "1E+2", "1e", "99999999.99", "100000000", "0.005",
        "0.0050", "1.50000000000000000000000000000000000000000000", "0" * 60 + "1", "9" * 400, "١٢",
        "true", "False", "YES", "n", "on", "0", "1", "2", "maybe",
        "2024-02-29", "2023-02-29", "0001-01-01", "9999-12-31", "10000-01-01", "0000-12-31", "2024-1-1", "2024/01/01",
        "20240101", "infinity", "epoch", "2024-13-01", "-2024-01-01", "2024-01-01 (BC)",
        "2024-01-01T00:00:00Z", "2024-01-01 10:30", "2024-01-01T24:00:00", "2024-01-01T23:59:60Z",
        "2024-01-01 10:30:00.1234567+05:30", "2024-01-01T10:30:00-0330", "2024-01-01T10+01", "2024-01-01 10:30 +01:00",
        "2024-01-01T10:30:00 Europe/Paris", "2024-01-01t10:30z", "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59.999999-01:00", "9999-12-31T23:59:59.999999Z", "2024-01-01T10:30+15:59",
        "2024-01-01T10:30+16:00", "2024-01-01T10:30:00.", "0000-01-01T00:00Z",
        # London and New York: skipped and doubled hours; Lord Howe: half hours; Apia: a whole day
        "2024-03-31T01:30:00", "2024-10-27T01:30:00", "2024-03-10 02:30", "2024-11-03 01:30", "2024-10-06T02:15:00",
        "2024-04-07T01:45:00", "2011-12-30T12:00", "2011-12-30T12:00Z", "2024-03-31 02:00:00", "2024-03-31 00:59:59",
        "a@b.co", "a@b", "a b@c.de", "x@-a.com", "127.0.0.1", "256.1.1.1", "01.2.3.4", "::1", "::", "1::2::3",
        "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "fe80::1%eth0",
        "12345::", "1:2:3:4:5:6:7:8:9", "https://example.org/a?b=c#d", "http://a b", "urn:x:%zz", "mailto:%41", "x:",
        "123e4567-e89b-12d3-a456-426614174000", "123E4567e89b12d3a456426614174000", "C536379", "a\x00b", "\x07\x1b[0m",
        "line\nbreak", "\u200b", "\ufeff", "naïve", "🍵", "e\u0301",
]  # fmt: skip
ODD = st.sampled_from(ODDITIES)
NUMBERS = st.one_of(
    st.integers(-(10**22), 10**22).map(str),
    st.integers(-(10**39), 10**39).map(str),
    st.decimals(-(10**20), 10**20, places=18).map(str),
    st.integers(-3000, 3000).map(str),
    st.decimals(-(10**9), 10**9, places=3).map(str),
    st.decimals(-50, 50, places=1).map(str),
    st.floats().map(repr),
)
TIMES = st.one_of(
    st.dates().map(str),
    st.datetimes().map(str),
    st.datetimes(timezones=st.just(UTC)).map(lambda t: t.isoformat()),
)
DIRT = st.none() | st.one_of(ODD, NUMBERS, TIMES, TEXT)


def is_sure(text: str | None) -> bool:
    """Local times that two zone databases may see differently: before 1970, after 2037, and what is not a time."""
    year = (text or "").strip()[:4]
    return not (year.isdigit() and year.isascii()) or 1970 < int(year) < 2037 or "Z" in (text or "")


@st.composite
def columns(draw: st.DrawFn, name: str) -> Column:
    type = draw(st.sampled_from(LogicalType))
    facts: dict[str, object] = {"required": draw(st.booleans())}
    if type is LogicalType.DECIMAL:
        scale = draw(st.integers(0, 6) | st.integers(0, 38))
        facts |= {"scale": scale, "precision": draw(st.integers(max(1, scale), 38))}
    facts |= draw(_constraints(type))
    return Column(id=f"id_{name}", name=name, type=type, **facts)  # type: ignore[arg-type]


def _constraints(type: LogicalType) -> st.SearchStrategy[dict[str, object]]:
    if type is LogicalType.STRING:
        return st.fixed_dictionaries(
            {},
            optional={
                "min_length": st.integers(0, 3),
                "max_length": st.integers(0, 12),
                "pattern": st.sampled_from(["^[A-Z]?[0-9]{5,6}$", "a|b", "^$", "[^ -~]", "é"]),
                "format": st.sampled_from(Format),
                "enum": st.just(("a", "true", "", "🍵")),
                "minimum": st.just("1"),
            },
        )
    if type is LogicalType.BOOLEAN:
        return st.fixed_dictionaries({}, optional={"enum": st.just(("true",))})
    bounds = _bounds(type)
    return st.fixed_dictionaries(
        {"exclusive_minimum": st.booleans(), "exclusive_maximum": st.booleans()},
        optional={"minimum": bounds, "maximum": bounds, "enum": st.lists(bounds, min_size=1, max_size=3).map(tuple)},
    )


def _bounds(type: LogicalType) -> st.SearchStrategy[str]:
    match type:
        case LogicalType.INTEGER:
            return st.sampled_from(["0", "5", "17850", "-9223372036854775808", "9223372036854775808", "0.5"])
        case LogicalType.DECIMAL:
            return st.sampled_from(["0", "0.5", "-0.55", "17850", "99999999.99", "1e40", "-1e40", "1e-30"])
        case LogicalType.NUMBER:
            return st.sampled_from(["0", "0.5", "17850", "-1e300", "1e-300"])
        case LogicalType.DATE:
            return st.sampled_from(["0001-01-01", "2024-02-29", "9999-12-31"])
        case _:
            return st.sampled_from(["2024-01-01T00:00:00+00:00", "2024-03-31T01:00:00+00:00"])


READINGS = st.builds(
    Reading,
    null_values=st.sampled_from([("",), ("", "NA"), ("NULL", "1"), ()]),
    decimal_separator=st.just("."),
    thousands_separator=st.sampled_from([None, ",", " "]),
    timezone=st.sampled_from(ZONES),
) | st.builds(
    Reading,
    decimal_separator=st.just(","),
    thousands_separator=st.sampled_from([None, "."]),
    timezone=st.sampled_from(ZONES),
)


def clean(type: LogicalType) -> st.SearchStrategy[str]:
    """Text of the type as programs write it: DECIMAL(10,2), ISO 8601 in UTC."""
    match type:
        case LogicalType.INTEGER:
            whole = st.integers(-(2**63), 2**63 - 1).map(str)
            return whole | whole.map(lambda text: text + ".0")
        case LogicalType.DECIMAL:
            return st.decimals(-99999999, 99999999, places=2).map(str)
        case LogicalType.NUMBER:
            return st.floats(allow_nan=False, allow_infinity=False).map(repr)
        case LogicalType.BOOLEAN:
            return st.sampled_from(["true", "False", "YES", "no", "1", "0", "on", "off", "t", "F"])
        case LogicalType.DATE:
            return st.dates().map(str)
        case _:
            times = st.datetimes() | st.datetimes(timezones=st.just(UTC))
            return st.builds(lambda time, separator: time.isoformat(separator), times, st.sampled_from("T "))
