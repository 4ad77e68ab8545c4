"""The command line: parses, forwards, prints; no arithmetic."""

from geosharp.cli.app import app, main
from geosharp.cli.commands import demo_command, evaluate_command, fuse_command, info_command, report_command

__all__ = [
    "app",
    "demo_command",
    "evaluate_command",
    "fuse_command",
    "info_command",
    "main",
    "report_command",
]
