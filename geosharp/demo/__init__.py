"""The demonstration: a scene made by code, fused, and compared with its known truth."""

from geosharp.demo.show import DemoResult, Score, demo

__all__ = ["DemoResult", "Score", "demo"]
