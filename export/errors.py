"""What can go wrong on the way from a model to a proven file."""

from __future__ import annotations

from toolkit.errors import ConfigError, ToolkitError


class ExportError(ToolkitError):
    """Base of the export errors; nothing was left behind."""


class UnknownFormatError(ExportError, ConfigError):
    """A format that is not in the table of formats."""

    exit_code = 2


class UnsupportedModelError(ExportError, ValueError):
    """A model that cannot be exported as it is; the message says why."""


class MetadataError(ExportError, ValueError):
    """Metadata that do not fit the model or that no file can hold."""


class ConversionError(ExportError):
    """The converter gave up.

    Attributes:
        places: pairs of the operator it stumbled over and the operator's
            place in the graph, where the converter tells them.
    """

    def __init__(self, message: str, places: tuple[tuple[str, str], ...] = ()):
        super().__init__(message)
        self.places = places


class OperatorError(ExportError):
    """A file holding operators that the stock runtime does not have.

    Attributes:
        operators: their names.
        places: pairs of an operator and its place in the graph, where they
            are known.
    """

    def __init__(
        self,
        message: str,
        operators: tuple[str, ...] = (),
        places: tuple[tuple[str, str], ...] = (),
    ):
        super().__init__(message)
        self.operators = operators
        self.places = places


class ParityError(ExportError):
    """A file whose answers differ from the Keras model's."""


class ArtifactError(ExportError, ValueError):
    """A file that is missing, damaged or of another kind."""
