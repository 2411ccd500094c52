"""The one place for DuckDB: connections and their limits, quoting, reading by field id, canonical hashes, the guard."""
