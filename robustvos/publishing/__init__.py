"""A run's clips as a dataset that others load and cite: layouts, a card, Croissant metadata; each is read back and compared."""
