"""Streams: event time, keyed state, windows and joins, topologies and the runner that commits them with their positions."""
