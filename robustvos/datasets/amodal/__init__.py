"""Whole objects whatever hides them: Real-VAS and its kin."""
