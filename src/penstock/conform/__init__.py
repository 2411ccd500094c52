"""Is this row what the contract says: contract -> SQL over a batch -> accepted, rejected with reasons, duplicates."""
