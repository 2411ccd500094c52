"""The shipped test kit: a clock that stands still, ids in sequence, and a disk that fails where it is told."""
