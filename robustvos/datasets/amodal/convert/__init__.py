"""Amodal datasets of others, a format a file, as trees in Real-VAS's native form."""
