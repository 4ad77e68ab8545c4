"""The command line: parses, forwards, prints; no arithmetic."""

from geosharp.cli.app import app, main
from geosharp.cli.archive import batch_command
from geosharp.cli.commands import demo_command, fuse_command
from geosharp.cli.health import check_command, doctor_command
from geosharp.cli.library import models_command, sensors_command
from geosharp.cli.results import evaluate_command, report_command
from geosharp.cli.scenes import calibrate_command, info_command
from geosharp.cli.training import train_command

__all__ = [
    "app",
    "batch_command",
    "calibrate_command",
    "check_command",
    "demo_command",
    "doctor_command",
    "evaluate_command",
    "fuse_command",
    "info_command",
    "main",
    "models_command",
    "report_command",
    "sensors_command",
    "train_command",
]
