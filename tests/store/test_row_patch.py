"""Files of rows that are made from former ones: what came stands in its place, and nothing is left of what went."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from zlib import crc32

import pytest

from penstock.store.collection import Collection
from penstock.store.files import FileStore
from penstock.store.protocol import Compare, Condition, Row, Slice
from penstock.testing.world import manual_world
from tests.store.shelf import Book, manifest


@dataclass
class DigestedBooks:
    """Books as one slice in one place, whose rows have digests; `read` counts how often all were read."""

    books: list[Book]
    read: int = 0

    def __call__(self, collection: Collection) -> list[Slice]:
        return [Slice(repr(self.books), self.all, "all", self)]

    def all(self) -> list[list[Row]]:
        self.read += 1
        return [self.at(range(1, len(self.books) + 1))]

    def digests(self) -> array[int]:
        return array("Q", map(self._digest, self.books))

    def rows(self, digests: Sequence[int]) -> list[Row]:
        return self.at([place for place, book in enumerate(self.books, start=1) if self._digest(book) in digests])

    def at(self, places: Sequence[int]) -> list[Row]:
        return [(book[0], f'{{"isbn":"{book[0]}","on":"{book[1]}"}}', *book[1:]) for book in map(self._book, places)]

    def _digest(self, book: Book) -> int:
        return crc32(repr(book).encode())

    def _book(self, place: int) -> Book:
        return self.books[place - 1]


MANY: list[Book] = [(f"b{number:02}", "unmistakable" if number == 7 else "north", number) for number in range(30)]


def test_a_row_that_changed_is_put_in_its_place_and_what_it_said_is_gone(tmp_path: Path) -> None:
    store = FileStore(tmp_path, manual_world())
    store.refresh(manifest(1), DigestedBooks(MANY))
    digested = DigestedBooks([(isbn, "north", pages) for isbn, _, pages in MANY])

    done = store.refresh(manifest(2), digested)

    assert digested.read == 0
    (collection,) = done.collections
    assert store.open().count(collection, (Condition("shelf", Compare.EQUAL, "north"),)) == 30
    assert b"unmistakable" not in (tmp_path / collection.parts[0].file).read_bytes()


@pytest.mark.parametrize(
    "after",
    [
        MANY[1:],
        MANY[:-1],
        [("a", "south", 0), ("b", "south", 0), *MANY],
        [*MANY[:9], ("x", "south", 0), ("y", "south", 0), *MANY[9:], ("z", "south", 0)],
        [*MANY[:2], ("x", "south", 0), *MANY[2:4], *MANY[5:20], (MANY[4][0], "south", 4), *MANY[20:]],
    ],
    ids=["first went", "last went", "some came before", "some came between and after", "came, went and moved"],
)
def test_rows_that_came_stand_between_their_neighbours_and_the_others_are_not_read(
    tmp_path: Path, after: list[Book]
) -> None:
    store = FileStore(tmp_path, manual_world())
    store.refresh(manifest(1), DigestedBooks(MANY))
    digested = DigestedBooks(after)

    done = store.refresh(manifest(2), digested)

    assert digested.read == 0
    assert done.collections[0].rows == len(after)
    assert store.faults() == ()
    view, wanted = store.open(), [str(row[1]).encode() for row in digested.at(range(1, len(after) + 1))]
    for skip in range(len(after) + 2):
        assert view.page(done.collections[0], (), skip=skip, limit=7) == wanted[skip : skip + 7]
    assert [view.document(done.collections[0], book[0]) for book in after] == wanted


def test_between_two_rows_there_is_room_for_as_many_as_come(tmp_path: Path) -> None:
    store, books = FileStore(tmp_path, manual_world()), list(MANY)
    store.refresh(manifest(1), DigestedBooks(books))
    read = []
    for number in range(40):
        books.insert(1, (f"n{number}", "north", number))  # each before the one that came before it
        digested = DigestedBooks(list(books))
        done = store.refresh(manifest(number + 2), digested)
        read.append(digested.read)
        assert store.open().page(done.collections[0], (), skip=0, limit=3) == [
            str(row[1]).encode() for row in digested.at([1, 2, 3])
        ]

    assert read == [0] * 40


def test_nothing_that_rows_said_is_left_however_their_lengths_change(tmp_path: Path) -> None:
    """Documents of all lengths go and come."""
    store, random = FileStore(tmp_path, manual_world()), Random(21)
    books: list[Book] = [(f"b{number:02}", f"said{number};", number) for number in range(50)]
    store.refresh(manifest(1), DigestedBooks(books))
    gone = []
    for release in range(2, 6):
        for place in random.sample(range(len(books)), 6):
            isbn, said, pages = books[place]
            assert said is not None
            gone.append(said.rstrip("."))
            books[place] = (isbn, f"said{place}in{release};" + "." * random.choice((0, 300, 2000, 9000)), pages)
        digested = DigestedBooks(list(books))
        done = store.refresh(manifest(release), digested)
        assert digested.read == 0

    content = (tmp_path / done.collections[0].parts[0].file).read_bytes()
    assert [said for said in gone if f'"{said}'.encode() in content] == []


def test_a_table_that_is_still_empty_is_served_as_empty(tmp_path: Path) -> None:
    store = FileStore(tmp_path, manual_world())
    digested = DigestedBooks([])

    def rows(release: int) -> Callable[[Collection], list[Slice]]:
        return lambda _: [Slice(f"of release {release}", digested.all, "all", digested)]

    for release in (1, 2):
        done = store.refresh(manifest(release), rows(release))

    assert (done.collections[0].rows, store.faults()) == (0, ())


@pytest.mark.parametrize("harm", [lambda _: b"torn", lambda content: with_a_key_that_ends_nowhere(content)])
def test_a_former_file_that_is_damaged_is_written_anew(harm: Callable[[bytes], bytes], tmp_path: Path) -> None:
    store = FileStore(tmp_path, manual_world())
    done = store.refresh(manifest(1), DigestedBooks(MANY))
    path = tmp_path / done.collections[0].parts[0].file
    path.write_bytes(harm(path.read_bytes()))
    digested = DigestedBooks([(isbn, "north", pages) for isbn, _, pages in MANY])

    store.refresh(manifest(2), digested)

    assert (digested.read, store.faults()) == (1, ())


def with_a_key_that_ends_nowhere(content: bytes) -> bytes:
    ends = array("i", accumulate(len(isbn) for isbn, _, _ in MANY))
    return content.replace(ends.tobytes(), array("i", [1 << 30, *ends[1:]]).tobytes())


@pytest.mark.parametrize(
    "after",
    [[*MANY[:5], *MANY[6:], MANY[5]], [(isbn, "south", pages) for isbn, _, pages in MANY], MANY[:20], []],
    ids=["digests do not tell that one stands elsewhere", "most changed", "many went", "all went"],
)
def test_rows_are_all_read_where_more_than_few_changed(tmp_path: Path, after: list[Book]) -> None:
    store = FileStore(tmp_path, manual_world())
    store.refresh(manifest(1), DigestedBooks(MANY))
    digested = DigestedBooks(after)

    store.refresh(manifest(2), digested)

    assert digested.read == 1
    view = store.open()
    documents = view.page(view.manifest.collections[0], (), skip=0, limit=100)
    assert documents == [str(row[1]).encode() for row in digested.at(range(1, len(after) + 1))]
