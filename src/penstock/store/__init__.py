"""The keyed store: rows of a release as documents, found by key, by place in an order, and by declared columns."""
