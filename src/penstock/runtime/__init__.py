"""Plan, apply, supervise: the only room where implementations are chosen."""
