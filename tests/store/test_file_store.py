"""What the embedded store leaves on disk, whatever happens to it."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from penstock.errors import StorageError
from penstock.store import parts, row_file
from penstock.store.collection import Collection
from penstock.store.files import MANIFEST, FileStore
from penstock.store.layout import read_rows
from penstock.store.protocol import Compare, Condition, Row, Rows, Slice, TakesLong
from penstock.store.row_file import write_rows
from penstock.testing.disk import DeadDisk, FaultyDisk, FullDisk, Mode, Point, Stopped
from penstock.testing.world import manual_world
from tests.store.shelf import BOOKS, Book, document, manifest, no_rows, rows
from tests.waiting import PATIENCE, wait_for

SHELVED: list[Book] = [("a", "north", 10), ("b", "south", 20), ("c", "north", 30), ("d", "south", 40)]


def _each(books: Sequence[Book], *, before: Callable[[], object]) -> Rows:
    """Each book as a slice, read when `before` returned."""

    def read(book: Book) -> Iterator[Sequence[Row]]:
        before()
        yield [(book[0], document(book), book[1], book[2])]

    return lambda _: [Slice(repr(book), partial(read, book)) for book in books]


def _unreadable() -> None:
    raise ValueError("unreadable")


def stored(folder: Path) -> FileStore:
    return FileStore(folder, manual_world(seed=str(folder)))


def keys(store: FileStore) -> list[bytes]:
    view = store.open()
    return view.page(view.manifest.collections[0], (), skip=0, limit=1000)


def test_former_rows_are_gone_from_the_disk(tmp_path: Path) -> None:
    store = stored(tmp_path)
    store.refresh(manifest(1), rows([("secret", "north", 1)]))

    store.refresh(manifest(2), rows(SHELVED))

    assert not any(b"secret" in path.read_bytes() for path in tmp_path.iterdir())
    assert len(list(tmp_path.glob("*.rows"))) == 1


def points(folder: Path) -> list[Point]:
    """Every place where a second refresh may stop."""
    stored(folder).refresh(manifest(1), rows(SHELVED))
    seen: list[Point] = []
    FileStore(folder, manual_world(disk=FaultyDisk(seen=seen.append))).refresh(manifest(2), rows(SHELVED[:1]))
    return seen


@pytest.mark.parametrize("mode", Mode)
def test_a_refresh_that_is_stopped_anywhere_left_all_or_nothing_and_the_next_one_tidies_up(
    mode: Mode, tmp_path: Path
) -> None:
    for point in points(tmp_path / "points"):
        folder = tmp_path / str(point.number)
        stored(folder).refresh(manifest(1), rows(SHELVED))
        dying = DeadDisk(stop_at=point.number, mode=mode)
        with pytest.raises(Stopped):
            FileStore(folder, manual_world(disk=dying)).refresh(manifest(2), rows(SHELVED[:1]))

        after = FileStore(folder, manual_world(seed="after"))
        assert (after.open().manifest.release, len(keys(after))) in ((1, 4), (2, 1)), point

        after.refresh(manifest(3), rows(SHELVED[:2]))
        assert len(keys(after)) == 2
        assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".rows"]


def test_a_full_disk_leaves_what_was_served(tmp_path: Path) -> None:
    stored(tmp_path).refresh(manifest(1), rows(SHELVED))
    full = FileStore(tmp_path, manual_world(seed="full", disk=FullDisk(room=100)))

    with pytest.raises(StorageError, match="cannot be written"):
        full.refresh(manifest(2), rows(SHELVED[:1]))

    assert len(keys(full)) == 4
    assert len(list(tmp_path.iterdir())) == 2


def test_slices_are_written_side_by_side_and_stand_in_their_order(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)
    store = FileStore(tmp_path, replace(manual_world(), at_a_time=2))

    store.refresh(manifest(1), _each(SHELVED[:2], before=both.wait))

    with closing(store.open()) as view:
        (books,) = view.manifest.collections
        assert [part.rows for part in books.parts] == [1, 1]
        assert view.page(books, (), skip=0, limit=9) == [b'{"isbn":"a"}', b'{"isbn":"b"}']


def test_a_slice_that_fails_beside_another_leaves_nothing(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=PATIENCE)
    store = FileStore(tmp_path, replace(manual_world(), at_a_time=2))

    with pytest.raises(ValueError, match="unreadable"):
        store.refresh(manifest(1), _each(SHELVED[:2], before=lambda: both.wait() and _unreadable()))

    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_reader_never_meets_two_releases_while_they_are_replaced(tmp_path: Path) -> None:
    """Release n holds n rows of n pages each, in two collections: any mixture would show."""
    other = (BOOKS, replace(BOOKS, path="/names", columns=("isbn",), filters=(), ranges=()))

    def wanted(release: int) -> None:
        FileStore(tmp_path, manual_world(seed=str(release))).refresh(
            manifest(release, endpoints=other),
            lambda collection: [Slice(str(release), lambda: [_rows(collection, release)])],
        )

    wanted(1)
    reading, seen, errors = threading.Event(), set[int](), list[str]()

    def read() -> None:
        store = FileStore(tmp_path)
        while not reading.is_set():
            view = store.open()
            books, names = view.manifest.collections
            release = view.manifest.release
            counts = {view.count(one, ()) for one in (books, names)} | {
                len(view.page(one, (), skip=0, limit=1000)) for one in (books, names)
            }
            documents = {*view.page(books, (), skip=0, limit=1000), *view.page(names, (), skip=0, limit=1000)}
            if counts != {release} or documents != {str(release).encode()}:
                errors.append(f"{release}: {counts} {documents}")
            seen.add(release)
            view.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for release in range(2, 60):
        wanted(release)
        if release % 15 == 0:
            wait_for(partial(seen.__contains__, release), pause=0.001)
    reading.set()
    for reader in readers:
        reader.join()

    assert errors == []
    assert len(seen) > 3


def _rows(collection: Collection, release: int) -> list[tuple[str | int, ...]]:
    return [(f"k{n}", str(release), *[n for _ in collection.indexed]) for n in range(release)]


def test_two_processes_refresh_one_after_the_other(tmp_path: Path) -> None:
    first, second = stored(tmp_path), stored(tmp_path)
    waiting, order = threading.Event(), list[str]()

    def later() -> None:
        waiting.set()
        with second.exclusive():
            order.append("second")

    with first.exclusive():
        thread = threading.Thread(target=later)
        thread.start()
        waiting.wait()
        order.append("first")
    thread.join()

    assert order == ["first", "second"]


def test_a_damaged_manifest_is_named_and_made_anew(tmp_path: Path) -> None:
    store = stored(tmp_path)
    store.refresh(manifest(1), rows(SHELVED))
    (tmp_path / MANIFEST).write_text('{"format": 4}')

    with pytest.raises(StorageError, match=r"current\.json: The manifest of the serving store cannot be read"):
        store.manifest()

    store.refresh(manifest(1), rows(SHELVED))
    assert len(keys(store)) == 4


def test_a_manifest_of_another_version_counts_as_none(tmp_path: Path) -> None:
    store = stored(tmp_path)
    store.refresh(manifest(1), rows(SHELVED))
    (tmp_path / MANIFEST).write_text('{"format": 0}')

    assert store.manifest() is None


def test_files_of_another_format_are_made_anew_for_the_same_release(tmp_path: Path) -> None:
    """As versions before wrote them, whose manifest had the format 3 and whose files were of SQLite."""
    store = stored(tmp_path)
    done = store.refresh(manifest(1), rows(SHELVED))
    (tmp_path / done.collections[0].parts[0].file).write_bytes(b"SQLite format 3\x00")
    current = tmp_path / MANIFEST
    current.write_bytes(re.sub(rb'"format": \d+', b'"format": 3', current.read_bytes()))
    assert store.manifest() is None  # so the release is not served yet

    store.refresh(manifest(1), rows(SHELVED))

    assert len(keys(store)) == 4


def test_only_slices_in_which_something_changed_are_written(tmp_path: Path) -> None:
    store = stored(tmp_path)
    store.refresh(manifest(1), rows(SHELVED, cuts=[1, 3]))
    before = {path.name for path in tmp_path.glob("*.rows")}

    done = store.refresh(manifest(2), rows([*SHELVED[:1], ("b", "south", 21), *SHELVED[2:]], cuts=[1, 3]))

    after = {path.name for path in tmp_path.glob("*.rows")}
    assert (len(before), len(after), len(before & after)) == (3, 3, 2)
    assert [part.rows for part in done.collections[0].parts] == [1, 2, 1]
    assert len(keys(store)) == 4


def test_what_a_release_left_as_it_was_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, opened = stored(tmp_path), list[str]()
    monkeypatch.setattr(row_file, "read_rows", lambda path: opened.append(path.name) or read_rows(path))
    store.refresh(manifest(1), rows(SHELVED, cuts=[1, 3]))
    before = store.open()

    done = store.refresh(manifest(2), rows([*SHELVED[:1], ("b", "south", 21), *SHELVED[2:]], cuts=[1, 3]))
    after = store.open()
    before.close()

    assert len(opened) == 3 + 1
    assert len(after.page(done.collections[0], (), skip=0, limit=9)) == 4
    after.close()
    store.open()
    assert len(opened) == 3 + 1 + 3


def test_several_files_have_a_moment_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_MOMENT", 6_000)
    store = stored(tmp_path)
    many = [[(f"{part}.{n}", "{}", "north", n) for n in range(600)] for part in range(11)]
    store.refresh(manifest(), lambda _: [Slice(str(part[0]), partial(iter, [part])) for part in many])
    view = store.open()
    books = view.manifest.collections[0]
    few, all_ = Condition("pages", Compare.EQUAL, 7), Condition("pages", Compare.AT_LEAST, 0)

    for _ in range(200):
        assert len(view.page(books, [few], skip=5, limit=5, at_once=True)) == 5
    with pytest.raises(TakesLong):
        view.count(books, [all_], at_once=True)
    assert view.count(books, [all_]) == 6_600


def test_a_file_that_is_gone_is_made_anew(tmp_path: Path) -> None:
    store = stored(tmp_path)
    store.refresh(manifest(1), rows(SHELVED))
    for path in tmp_path.glob("*.rows"):
        path.unlink()

    with pytest.raises(StorageError, match="names files that are not there"):
        store.open()
    store.refresh(manifest(1), rows(SHELVED))

    assert len(keys(store)) == 4
    with pytest.raises(AssertionError):
        FileStore(tmp_path / "new", manual_world()).refresh(manifest(1), no_rows)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[: 2 * 4096] + b"\xff" * 4096), "is damaged"),
        (lambda path: path.write_bytes(b""), "is damaged"),
        (lambda path: lose_a_row(path), "holds 3 rows, not 4"),
    ],
)
def test_a_file_that_came_to_harm_is_named(harm: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    store = stored(tmp_path)
    store.refresh(manifest(1), rows(SHELVED))
    assert store.faults() == ()
    (path,) = tmp_path.glob("*.rows")

    harm(path)

    (fault,) = store.faults()
    assert fault.startswith(str(path))
    assert said in fault


def lose_a_row(path: Path) -> None:
    books = rows(SHELVED[:3])(manifest().collections[0])
    write_rows(path, manifest().collections[0], next(iter(books)).rows(), None)


def test_an_answer_that_takes_long_is_given_up_and_given_when_there_is_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "_MOMENT", 29_999)
    store = stored(tmp_path)
    many = [(f"k{n}", "{}", "north", n) for n in range(30_000)]
    store.refresh(manifest(), lambda _: [Slice("", lambda: [many])])
    view = store.open()
    books, north = view.manifest.collections[0], [Condition("shelf", Compare.EQUAL, "north")]

    with pytest.raises(TakesLong):
        view.count(books, north, at_once=True)
    with pytest.raises(TakesLong):
        view.page(books, north, skip=29_000, limit=10, at_once=True)

    assert view.count(books, north) == view.count(books, north, at_once=True) == 30_000
    assert len(view.page(books, north, skip=29_000, limit=10)) == 10
    assert len(view.page(books, (), skip=29_000, limit=1000, at_once=True)) == 1000
    assert view.document(books, "k29999") == b"{}"


def test_what_takes_a_moment_is_never_given_up_however_often_it_is_asked(tmp_path: Path) -> None:
    store = stored(tmp_path)
    store.refresh(manifest(), rows(SHELVED))
    view = store.open()
    books, north = view.manifest.collections[0], [Condition("shelf", Compare.EQUAL, "north")]

    for _ in range(5_000):
        assert len(view.page(books, north, skip=0, limit=10, at_once=True)) == 2
        assert view.document(books, "a") is not None


def test_a_release_is_known_by_number_instant_and_endpoints(tmp_path: Path) -> None:
    served = stored(tmp_path).refresh(manifest(1), rows(SHELVED))

    assert served.serves(1, served.committed_at, served.endpoints)
    assert not served.serves(2, served.committed_at, served.endpoints)
    assert not served.serves(1, "2025-01-01T00:00:00Z", served.endpoints)
    assert not served.serves(1, served.committed_at, ())
