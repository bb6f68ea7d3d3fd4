"""How videos are scored: protocols, scorers, results written and read, means and intervals, folders of masks."""
