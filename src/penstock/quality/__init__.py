"""Is what we are about to release right: checks, the quality score, the verdict of the gate."""
