"""Arithmetic on tensors: the classical methods and what they are made of. Never rasterio."""
