"""Looking over a finished result once: what differs where, what to show, whether there are seams."""
