"""Georeferenced pixels: the only room that knows rasterio, and one that never sees torch."""
