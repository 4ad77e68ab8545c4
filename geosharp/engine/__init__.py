"""Read, fuse, stitch, write: tile by tile, for every method."""
