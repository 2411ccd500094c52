"""Benchmarks: the machine first, outputs equal before times count, ours and the peer in turn. `make bench BENCH=name`."""
