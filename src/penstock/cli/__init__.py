"""The `penstock` command: each command a few lines into `runtime`."""
