"""Build and load SAM 2, prompt it, train it, track with it. Only this package imports ``sam2``."""
