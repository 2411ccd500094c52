"""What a release needs to know of a built model (`transform` has the values), and how its rows are read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

import pyarrow as pa


class BuiltColumn(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def lake_type(self) -> str | None: ...
    @property
    def description(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def classification(self) -> str | None: ...


class BuiltModel(Protocol):
    """A gold model after a build.

    `kind` is append or replace; `status` built, appended (only `new_rows` rows were added to the base's), moved (rows
    of some keys were made anew; `new_rows` are those that came if none went, all in any other case) or kept (nothing
    was done). `content_hash` stands for the rows without their order,
    None where unknown. `slice_by` is a column of dates by whose ranges files are cut, `moved_slices` its values in
    rows that came or went since the base, None where not known. `shown_in` is a further schema in which readers find
    it.
    """

    @property
    def name(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def rows(self) -> int: ...
    @property
    def new_rows(self) -> int: ...
    @property
    def content_hash(self) -> str | None: ...
    @property
    def slice_by(self) -> str | None: ...
    @property
    def moved_slices(self) -> Sequence[date] | None: ...
    @property
    def shown_in(self) -> str | None: ...
    @property
    def columns(self) -> Sequence[BuiltColumn]: ...
    @property
    def description(self) -> str: ...


class BuiltRows(Protocol):
    """The rows of built models. What `read` and `slice` give may be read by threads side by side."""

    def read(self, model: Any, *, only_new: bool = False) -> AbstractContextManager[pa.RecordBatchReader]:
        """In batches: all of them, or only those that the base did not have (or had otherwise)."""
        ...

    def slice(self, model: Any, first: date, last: date) -> AbstractContextManager[pa.RecordBatchReader]:
        """Those whose date lies in a range, both included."""
        ...

    def moved(self, model: Any) -> tuple[int, int]:
        """How many rows came and how many went since the base, of a model whose status is moved."""
        ...

    def gone(self, model: Any, stored: str, place: tuple[str, str]) -> pa.Table | None:
        """Where those that went stand in `stored`, a SELECT of the model's columns with `file_path` and `pos` under the
        names `place`: these two columns, one row for each; None where they are not found."""
        ...

    def by_day(self, model: Any) -> Mapping[date | None, int]:
        """How many there are of each date."""
        ...


def gold_name(model: BuiltModel) -> str:
    """The table of the lake that holds the model."""
    return f"gold.{model.name}"


@dataclass(frozen=True)
class Candidate:
    """A build that wants to be released.

    `models` are all gold models, those that were not run included. `built_on` is the release that the build
    started from, None when it started from nothing. `silver` are the snapshots it was made from, by table name.
    """

    models: Sequence[BuiltModel]
    rows: BuiltRows
    built_on: int | None
    silver: Mapping[str, int | None]
