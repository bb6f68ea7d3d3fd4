"""Verdicts of people on clips: kept, ordered, compared. Without a browser; the page is in ``robustvos/web``."""
