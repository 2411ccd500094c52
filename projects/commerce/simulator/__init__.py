"""The simulated shop: the outside world of this project, with the truth about it.

`simulate(options)` is pure and makes a `Shop` of columns in memory; `deliver` turns it into files; `truth` states what
every metric is, from the shop's own numbers. Plain Python, NumPy and Arrow: nothing here knows the platform, but for `live.feed`,
which appends to its event log.
"""
