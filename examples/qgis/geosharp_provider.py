"""Fuse, Evaluate and Report as algorithms of QGIS's Processing toolbox."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from qgis.core import (
    QgsApplication,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMultipleLayers,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
    QgsProcessingProvider,
    QgsSettings,
)

from .command_line import CommandError, Event, run  # noqa: TID252, QGIS chooses the package's name

# Where the command that served last is kept.
SETTING = "geosharp/command"
AUTOMATIC = "chosen by the scene"
METHODS = (AUTOMATIC, "hfreqdiff", "exp", "brovey", "gsa", "glp", "glp-hpm")


class Plugin:
    """What QGIS loads: it brings the provider, and takes it away again."""

    def __init__(self) -> None:
        self._provider: GeosharpProvider | None = None

    def initProcessing(self) -> None:  # noqa: N802
        self._provider = GeosharpProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:  # noqa: N802
        self.initProcessing()

    def unload(self) -> None:
        QgsApplication.processingRegistry().removeProvider(self._provider)


class GeosharpProvider(QgsProcessingProvider):
    def id(self) -> str:
        return "geosharp"

    def name(self) -> str:
        return "geosharp"

    def loadAlgorithms(self) -> None:  # noqa: N802
        for algorithm in (Fuse, Evaluate, Report):
            self.addAlgorithm(algorithm())


class Command(QgsProcessingAlgorithm):
    """A command of geosharp. verb: what it is called; title, help: in the toolbox."""

    verb: ClassVar[str]
    title: ClassVar[str]
    help: ClassVar[str]

    def name(self) -> str:
        return self.verb

    def displayName(self) -> str:  # noqa: N802
        return self.title

    def shortHelpString(self) -> str:  # noqa: N802
        return self.help

    def createInstance(self) -> Command:  # noqa: N802
        return type(self)()

    def initAlgorithm(self, configuration: Any = None) -> None:  # noqa: N802
        self.add_parameters()
        command = QgsProcessingParameterString(
            "COMMAND", "Command that runs geosharp", QgsSettings().value(SETTING, "geosharp")
        )
        command.setFlags(command.flags() | QgsProcessingParameterDefinition.FlagAdvanced)
        self.addParameter(command)

    def processAlgorithm(self, parameters: Any, context: Any, feedback: Any) -> dict[str, Any]:  # noqa: N802
        command = self.parameterAsString(parameters, "COMMAND", context)
        arguments, outputs = self.tell(parameters, context)
        feedback.pushCommandInfo(f"{command} {' '.join(arguments)}")
        stages: list[str] = []

        def hear(event: Event) -> None:
            if event.get("event") == "progress":
                feedback.setProgress(100 * event["pixels"] / max(event["total_pixels"], 1))
                if event["stage"] not in stages:
                    stages.append(event["stage"])
                    feedback.setProgressText(event["stage"])
            elif event.get("event") == "note":
                feedback.pushWarning(event["message"])
            elif event.get("event") != "error":
                feedback.pushInfo(event["message"])

        try:
            printed = run(command, arguments, hear, feedback.isCanceled)
        except CommandError as error:
            raise QgsProcessingException(str(error)) from error
        if feedback.isCanceled():
            return {}
        QgsSettings().setValue(SETTING, command)
        feedback.pushInfo(printed)
        self.keep(printed, outputs)
        return dict(outputs)

    def keep(self, printed: str, outputs: Mapping[str, str]) -> None:
        """Put what the command has printed where it is asked for."""

    def add_parameters(self) -> None:
        raise NotImplementedError

    def tell(self, parameters: Any, context: Any) -> tuple[list[str], Mapping[str, str]]:
        """The command's arguments, and what it will write by the parameters' names."""
        raise NotImplementedError

    def add_pair(self) -> None:
        self.addParameter(QgsProcessingParameterRasterLayer("PAN", "Panchromatic raster"))
        raster = QgsProcessing.TypeRaster
        title = "Multispectral raster, or its bands"
        self.addParameter(QgsProcessingParameterMultipleLayers("MS", title, raster))

    def add_choices(self) -> None:
        for name, title in (("BANDS", "Bands of it, such as 4,3,2"), ("SENSOR", "Sensor, or a sensor file")):
            self.addParameter(QgsProcessingParameterString(name, title, optional=True))

    def tell_pair(self, parameters: Any, context: Any) -> list[str]:
        coarse = self.parameterAsLayerList(parameters, "MS", context)
        return [self.tell_layer(parameters, "PAN", context), *(layer.source() for layer in coarse)]

    def tell_layer(self, parameters: Any, name: str, context: Any) -> str:
        layer = self.parameterAsRasterLayer(parameters, name, context)
        if layer is None:
            raise QgsProcessingException(self.invalidRasterError(parameters, name))
        return str(layer.source())

    def tell_choices(self, parameters: Any, context: Any) -> list[str]:
        told = []
        for name in ("BANDS", "SENSOR"):
            if value := self.parameterAsString(parameters, name, context).strip():
                told += [f"--{name.lower()}", value]
        return told


class Fuse(Command):
    verb, title = "fuse", "Fuse"
    help = "Multispectral bands at the panchromatic raster's resolution, as geosharp's fuse makes them."

    def add_parameters(self) -> None:
        self.add_pair()
        self.addParameter(QgsProcessingParameterEnum("METHOD", "Method", METHODS, defaultValue=0))
        self.add_choices()
        self.addParameter(QgsProcessingParameterRasterDestination("OUTPUT", "Fused"))

    def tell(self, parameters: Any, context: Any) -> tuple[list[str], Mapping[str, str]]:
        out = self.parameterAsOutputLayer(parameters, "OUTPUT", context)
        arguments = ["fuse", *self.tell_pair(parameters, context), "--out", out]
        method = METHODS[self.parameterAsEnum(parameters, "METHOD", context)]
        if method != AUTOMATIC:
            arguments += ["--method", method]
        # QGIS has asked whether an existing file is to be replaced.
        arguments += [*self.tell_choices(parameters, context), "--overwrite", "--log-json"]
        return arguments, {"OUTPUT": out}


class Evaluate(Command):
    verb, title = "evaluate", "Evaluate"
    help = "Scores of finished results beside simple methods, as JSON: in the log and in a file."

    def add_parameters(self) -> None:
        self.add_pair()
        title, raster = "Finished results", QgsProcessing.TypeRaster
        self.addParameter(QgsProcessingParameterMultipleLayers("FUSED", title, raster, optional=True))
        self.addParameter(QgsProcessingParameterString("METHODS", "Methods beside them", "exp,glp"))
        self.add_choices()
        self.addParameter(QgsProcessingParameterFileDestination("OUTPUT", "Scores", "JSON (*.json)"))

    def tell(self, parameters: Any, context: Any) -> tuple[list[str], Mapping[str, str]]:
        out = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        arguments = ["evaluate", *self.tell_pair(parameters, context), "--json", "--log-json"]
        for layer in self.parameterAsLayerList(parameters, "FUSED", context):
            arguments += ["--fused", layer.source()]
        arguments += ["--method", self.parameterAsString(parameters, "METHODS", context)]
        return [*arguments, *self.tell_choices(parameters, context)], {"OUTPUT": out}

    def keep(self, printed: str, outputs: Mapping[str, str]) -> None:
        try:
            Path(outputs["OUTPUT"]).write_text(printed, encoding="utf-8")
        except OSError as error:
            raise QgsProcessingException(f"{outputs['OUTPUT']} cannot be written ({error})") from error


class Report(Command):
    verb, title = "report", "Report"
    help = "A page that shows how good a result is: pictures to swipe, scores, maps, and how it was made."

    def add_parameters(self) -> None:
        self.addParameter(QgsProcessingParameterRasterLayer("FUSED", "Result"))
        self.add_pair()
        self.add_choices()
        self.addParameter(QgsProcessingParameterFileDestination("OUTPUT", "Page", "HTML (*.html)"))

    def tell(self, parameters: Any, context: Any) -> tuple[list[str], Mapping[str, str]]:
        out = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        arguments = ["report", self.tell_layer(parameters, "FUSED", context)]
        arguments += [*self.tell_pair(parameters, context), "--out", out, "--overwrite", "--log-json"]
        return [*arguments, *self.tell_choices(parameters, context)], {"OUTPUT": out}
