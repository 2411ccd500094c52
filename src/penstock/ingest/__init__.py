"""Pull: what is new at a source, and its rows as they were written. Reads and never writes."""
