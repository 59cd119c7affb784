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


class ConversionError(ExportError):
    """The converter gave up."""


class OperatorError(ExportError):
    """A file holding operators that the stock runtime does not have."""


class ParityError(ExportError):
    """A file whose answers differ from the Keras model's."""


class ArtifactError(ExportError, ValueError):
    """A file that is missing, damaged or of another kind."""
