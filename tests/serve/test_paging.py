"""Pages: together they are the table, whatever their size; and never of two releases."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.spec.endpoint import Endpoint, Ordering
from penstock.sql.names import literal
from tests.serve.lending import Library
from tests.waiting import wait_for

LENT = Endpoint(
    "/lent",
    "lent",
    "id",
    ("id", "branch", "days"),
    filters=("branch",),
    ranges=("days",),
    order=(Ordering("days", descending=True),),
)
Loan = tuple[int, str | None, int | None]
loans = st.lists(
    st.tuples(st.integers(0, 99), st.sampled_from(["n", "s", None]), st.none() | st.integers(0, 5)),
    unique_by=lambda loan: loan[0],
    min_size=1,
    max_size=40,
)


def served(folder: Path, rows: list[Loan]) -> Library:
    library = Library(folder, endpoints=(LENT,))
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    library.table("lent", "id BIGINT, branch VARCHAR, days BIGINT", values)
    library.release()
    return library


def in_order(rows: list[Loan]) -> list[int]:
    """The declared order by an oracle: most days first, absent ones last, ties by the key."""
    return [row[0] for row in sorted(rows, key=lambda row: (row[2] is None, -(row[2] or 0), row[0]))]


@settings(max_examples=25)
@given(loans, st.integers(1, 45), st.sampled_from([None, "n"]), st.none() | st.integers(0, 5))
def test_all_pages_together_are_the_table_once_and_in_order(
    rows: list[Loan], limit: int, branch: str | None, most: int | None
) -> None:
    query: dict[str, object] = {"limit": limit}
    query |= {} if branch is None else {"branch": branch}
    query |= {} if most is None else {"days_max": most}
    expected = in_order(
        [row for row in rows if branch in (None, row[1]) and (most is None or (row[2] is not None and row[2] <= most))]
    )
    with TemporaryDirectory() as folder:
        client = served(Path(folder), rows).client()

        pages = [client.get("/lent", query, skip=skip).json for skip in range(0, len(expected) + 1, limit)]

    assert [row["id"] for page in pages for row in page["items"]] == expected
    assert {page["total"] for page in pages} == {len(expected)}


def test_the_same_rows_in_another_order_of_arrival_make_the_same_pages(tmp_path: Path) -> None:
    rows: list[Loan] = [(n, "n", n % 3) for n in range(30)]

    forth, back = (
        served(tmp_path / name, given).client().get("/lent").json["items"]
        for name, given in (("forth", rows), ("back", rows[::-1]))
    )

    assert forth == back


def test_no_answer_mixes_two_releases_while_they_come(tmp_path: Path) -> None:
    """Release n holds n loans of n days each, to n members: an answer says everywhere the same number."""
    below = Endpoint("/lent/{id}/again", "lent", "id", ("id", "days"), parent="id")
    library = Library(tmp_path / "store", endpoints=(LENT, below))
    ended, found, errors = threading.Event(), set[int](), list[object]()

    def release(number: int) -> None:
        values = ", ".join(f"({n}, 'n', {number})" for n in range(number))
        library.table("lent", "id BIGINT, branch VARCHAR, days BIGINT", values)
        library.release()

    release(1)
    client = library.client()

    def read() -> None:
        while not ended.is_set():
            for path in ("/lent?limit=1000", "/lent?branch=n&limit=1000"):
                page = client.get(path)
                body, days = page.json, {row["days"] for row in page.json["items"]}
                number = int(page.headers["penstock-release"])
                if (body["release"], body["total"], len(body["items"]), days) != (number, number, number, {number}):
                    errors.append((number, body))
                found.add(number)
            document = client.get("/lent/0")
            if document.json["days"] != int(document.headers["penstock-release"]):
                errors.append(document)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(2, 40):
        release(number)
        if number % 10 == 0:
            wait_for(partial(found.__contains__, number), pause=0.001)
    ended.set()
    for reader in readers:
        reader.join()

    assert errors == []
    assert len(found) > 3
    assert client.get("/lent").json["release"] == 39
