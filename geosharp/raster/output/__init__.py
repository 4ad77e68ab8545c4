"""Writing a scene: blocks into a hidden temporary file, checks, then a rename."""

from geosharp.raster.output.creation import OutputFormat
from geosharp.raster.output.description import BandInfo, Content
from geosharp.raster.output.target import check_target
from geosharp.raster.output.writer import SceneWriter

__all__ = ["BandInfo", "Content", "OutputFormat", "SceneWriter", "check_target"]
