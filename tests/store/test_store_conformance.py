"""What every store does, whatever holds its rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import StorageError
from penstock.store.collection import collections
from penstock.store.files import FileStore
from penstock.store.protocol import Compare, Condition, Store, View
from penstock.testing.world import manual_world
from tests.store.shelf import BOOKS, Book, MemoryStore, document, manifest, no_rows, rows

MakeStore: TypeAlias = Callable[[Path], Store]
STORES: dict[str, MakeStore] = {
    "memory": lambda _: MemoryStore(),
    "files": lambda folder: FileStore(folder, manual_world(seed="store")),
}
SHELVED: list[Book] = [("a", "north", 10), ("b", "south", None), ("c", "north", 30), ("d", None, 40), ("e", "north", 5)]


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return STORES[request.param](tmp_path / "store")


def test_an_empty_store_serves_nothing_and_says_so(store: Store) -> None:
    assert store.manifest() is None
    with pytest.raises(StorageError):
        store.open()


def test_a_refresh_is_served_as_it_was_wanted(store: Store) -> None:
    done = store.refresh(manifest(), rows(SHELVED))

    assert store.manifest() == done
    assert done.collections[0].rows == 5
    assert store.open().manifest.release == 1


def test_a_row_is_found_by_its_key(store: Store) -> None:
    view = store_view(store)

    assert view.document(view.manifest.collections[0], "c") == document(SHELVED[2]).encode()
    assert view.document(view.manifest.collections[0], "x") is None


def test_a_page_lies_where_it_is_asked_for(store: Store) -> None:
    view = store_view(store)
    books = view.manifest.collections[0]

    assert view.page(books, (), skip=1, limit=2) == [document(book).encode() for book in SHELVED[1:3]]
    assert view.page(books, (), skip=5, limit=2) == []
    assert view.page(books, (), skip=(1 << 63) - 1, limit=1000) == []


def test_a_condition_is_met_by_values_and_never_by_their_absence(store: Store) -> None:
    view = store_view(store)
    books = view.manifest.collections[0]
    few, north = Condition("pages", Compare.AT_MOST, 30), Condition("shelf", Compare.EQUAL, "north")

    assert [view.count(books, conditions) for conditions in ((few,), (north,), (few, north), ())] == [3, 3, 3, 5]
    assert view.page(books, (few,), skip=1, limit=1) == [document(SHELVED[2]).encode()]


def test_a_view_stays_at_its_release(store: Store) -> None:
    before, signature = store_view(store), store.signature()
    books = before.manifest.collections[0]

    store.refresh(manifest(2), rows([("z", "north", 1)]))

    assert before.document(books, "a") is not None
    assert before.document(books, "z") is None
    assert before.count(books, [Condition("shelf", Compare.EQUAL, "north")]) == 3
    assert store.open().count(store.open().manifest.collections[0], ()) == 1
    assert store.signature() != signature


def test_rows_that_did_not_change_are_not_asked_for_again(store: Store) -> None:
    store.refresh(manifest(1, snapshot=7), rows(SHELVED))

    done = store.refresh(manifest(2, snapshot=7), no_rows)

    assert (done.release, done.collections[0].rows) == (2, 5)
    assert store.open().document(done.collections[0], "e") is not None


@pytest.mark.parametrize("key", ["a", None])
def test_a_key_that_names_no_single_row_leaves_what_was_served(store: Store, key: str) -> None:
    store.refresh(manifest(1), rows(SHELVED))

    with pytest.raises(StorageError):
        store.refresh(manifest(2), rows([*SHELVED, (key, "north", 1)]))

    assert store.open().manifest.release == 1
    assert store.open().count(store.open().manifest.collections[0], ()) == 5


def test_rows_that_fail_on_the_way_leave_what_was_served(store: Store) -> None:
    store.refresh(manifest(1), rows(SHELVED))

    with pytest.raises(AssertionError):
        store.refresh(manifest(2), no_rows)

    assert store.open().manifest.release == 1


def test_nothing_may_be_served(store: Store) -> None:
    assert store.refresh(manifest(1, endpoints=()), no_rows).collections == ()
    assert store.open().manifest.release == 1


def store_view(store: Store) -> View:
    store.refresh(manifest(), rows(SHELVED))
    return store.open()


books = st.lists(
    st.tuples(
        st.text(min_size=1, max_size=4).filter(lambda text: text.isprintable()),
        st.none() | st.sampled_from(["north", "south", "ÿ", ""]),
        st.none() | st.integers(-3, 3),
    ),
    unique_by=lambda book: book[0],
    max_size=25,
)
conditions = st.lists(
    st.builds(Condition, st.just("shelf"), st.sampled_from(Compare), st.sampled_from(["north", "south", "", "o"]))
    | st.builds(Condition, st.just("pages"), st.sampled_from(Compare), st.integers(-3, 3)),
    max_size=3,
)


@settings(max_examples=60)
@given(books, conditions, st.integers(1, 30), st.lists(st.integers(0, 25), max_size=5))
def test_all_pages_together_are_every_row_that_was_chosen_once_and_in_order(
    shelved: list[Book], chosen: list[Condition], limit: int, cuts: list[int]
) -> None:
    oracle = MemoryStore()
    oracle.refresh(manifest(), rows(shelved))
    with tempfile.TemporaryDirectory() as folder:
        store = FileStore(Path(folder), manual_world(seed="store"))
        store.refresh(manifest(), rows(shelved, cuts=[cut for cut in cuts if cut <= len(shelved)]))
        view, collection = store.open(), store.open().manifest.collections[0]

        total = view.count(collection, chosen)
        pages = [view.page(collection, chosen, skip=skip, limit=limit) for skip in range(0, total + 1, limit)]

        expected = oracle.open().page(collection, chosen, skip=0, limit=1000)
        assert [row for page in pages for row in page] == expected
        assert total == len(expected)


def test_endpoints_of_the_same_columns_and_order_share_their_rows() -> None:
    below = replace(BOOKS, path="/shelves/{id}/books", parent="shelf")
    other = replace(BOOKS, path="/names", columns=("isbn",), filters=(), ranges=())

    assert [one.indexed for one in collections([BOOKS, below, other])] == [("shelf", "pages"), ()]
