"""The API: declared endpoints over the keyed store, answered from one release at a time."""
