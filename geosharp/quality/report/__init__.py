"""The HTML report: content (what is shown) -> page (one file that shows it)."""
