"""What a release needs to know of a built model (`transform` has the values), and how its rows are read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
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

    `kind` is append or replace; `status` built, appended (only `new_rows` rows were added to the base's)
    or kept (nothing was done). `content_hash` stands for the rows without their order, None where unknown.
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
    def columns(self) -> Sequence[BuiltColumn]: ...
    @property
    def description(self) -> str: ...


class ReadRows(Protocol):
    """The rows of a built model in batches: all of them, or only those that the base did not have."""

    def __call__(self, model: Any, *, only_new: bool) -> AbstractContextManager[pa.RecordBatchReader]: ...


def gold_name(model: BuiltModel) -> str:
    """The table of the lake that holds the model."""
    return f"gold.{model.name}"
