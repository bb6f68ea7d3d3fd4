"""Scores of predicted masks: pure functions, per-clip accumulators, torchmetrics classes, aggregates."""
