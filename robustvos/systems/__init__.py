"""A system: a SAM 2, an adapter, a restorer and trained weights, ready to track."""
