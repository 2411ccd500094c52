"""What a release does with each gold table."""

from __future__ import annotations

from enum import StrEnum

from penstock.lake.table import Head
from penstock.release.model import BuiltModel
from penstock.release.record import GoldTable
from penstock.release.shape import Personal, keeps_fields, shape_fingerprint


class Move(StrEnum):
    """What becomes of a gold table in a release."""

    KEEP = "keep"  # the rows released before stand
    APPEND = "append"  # new rows come to those released before
    AMEND = "amend"  # rows that came are written, those that went named; where that does not serve, patch or replace
    PATCH = "patch"  # files that hold the date of a row that came or went are written anew; where none went, one comes
    REPLACE = "replace"  # all rows are written anew


def decide(
    model: BuiltModel, before: GoldTable | None, head: Head | None, personal: Personal, *, trusted: bool
) -> Move:
    """What to do with a table; pure. `trusted`: the build started from the very release that `before` is of.

    The head must be the snapshot that was released: if anybody moved it, the table is written anew; so it is where a
    column gets another field.
    """
    if before is None or head is None or head.snapshot_id != before.snapshot:
        return Move.REPLACE
    if before.shape != shape_fingerprint(model) or not keeps_fields(model, before.columns, head, personal):
        return Move.REPLACE
    if model.content_hash is not None and model.content_hash == before.content:
        return Move.KEEP
    if trusted and model.status == "moved":
        return Move.AMEND
    if trusted and model.slice_by is not None and model.moved_slices is not None:
        return Move.PATCH
    if not trusted or model.rows - model.new_rows != before.rows:
        return Move.REPLACE
    if model.status == "kept" or (model.status == "appended" and model.new_rows == 0):
        return Move.KEEP
    return Move.APPEND if model.status == "appended" else Move.REPLACE
