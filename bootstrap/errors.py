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
├── MetadataError       the instance metadata service does not answer
├── ApiError            AWS refused a call; carries AWS's code as `.code`
├── UnreachableError    AWS does not answer
├── ScriptError         a boot script is not there, failed or took too long
├── RegistrationError   a load balancer does not take this node, or does not let it go
└── VolumeError         a disk for the cache cannot be used
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


class ApiError(BootstrapError):
    """AWS refused a call; carries AWS's code as `.code`."""

    def __init__(self, what: str, hint: str = "", code: str = "") -> None:
        super().__init__(what, hint)
        self.code = code


class UnreachableError(BootstrapError):
    """AWS does not answer."""


class ScriptError(BootstrapError):
    """A boot script is not there, failed or took too long."""


class RegistrationError(BootstrapError):
    """A load balancer does not take this node, or does not let it go."""


class VolumeError(BootstrapError):
    """A disk for the cache cannot be used."""
