"""Whether a pair is fit to fuse, told before any work: `check`."""
