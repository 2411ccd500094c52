"""Iceberg tables on the local disk: declared, committed together, scanned, kept small. Alone imports pyiceberg."""
