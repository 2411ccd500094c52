"""The shop while it runs: events without end, each a function of the seed and of its own number.

Nothing is remembered from one event to the next, so they may be made in batches of any size, again, or from the middle
on. `events` makes them, `schedule` says when each is, `journal` keeps the truth about them, `feed` appends them to an
event log; the last alone knows the platform.
"""
