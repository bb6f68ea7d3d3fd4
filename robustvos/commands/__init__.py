"""The command line: tools, what the loops need besides Lightning, and the names in ``configs/``."""
