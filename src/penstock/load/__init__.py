"""The road: position, batch, bronze, conform, silver and quarantine."""
