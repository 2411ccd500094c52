"""Rules of the house as short scripts: each prints what breaks it and exits 1. Run all: `python -m tools.check`."""
