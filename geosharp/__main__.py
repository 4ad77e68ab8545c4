"""`python -m geosharp`: the command line."""

from __future__ import annotations

from geosharp.cli import main

if __name__ == "__main__":
    main()
