"""Whole archives: which scenes there are, what became of each, and all of them fused."""
