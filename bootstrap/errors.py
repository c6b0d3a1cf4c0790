"""What can go wrong on a node, as a map.

BootstrapError          anything; carries the next step to take as `.hint`
├── SettingsError       the image's bootstrap.toml is not what it should be
├── HeaderError         a boot script's header is not what it should be
├── InputsError         inputs are missing or malformed; one message names them all
├── SecretError         a secret cannot be read
├── TemplateError       a template names what nobody declared
├── FileError           a rendered file cannot be written
├── ServiceError        systemd refused
├── NotHealthyError     the health URL did not answer 200 within its budget
├── StateError          there is no state to show, or it cannot be read
└── MetadataError       the instance metadata service does not answer
"""

from __future__ import annotations


class BootstrapError(Exception):
    """What went wrong, and the next thing to try."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.hint = hint


class SettingsError(BootstrapError):
    """The image's bootstrap.toml is not what it should be."""


class HeaderError(BootstrapError):
    """A boot script's header is not what it should be."""


class InputsError(BootstrapError):
    """Inputs are missing or malformed; one message names them all."""


class SecretError(BootstrapError):
    """A secret cannot be read."""


class TemplateError(BootstrapError):
    """A template names what nobody declared."""


class FileError(BootstrapError):
    """A rendered file cannot be written."""


class ServiceError(BootstrapError):
    """Systemd refused."""


class NotHealthyError(BootstrapError):
    """The health URL did not answer 200 within its budget."""


class StateError(BootstrapError):
    """There is no state to show, or it cannot be read."""


class MetadataError(BootstrapError):
    """The instance metadata service does not answer."""
