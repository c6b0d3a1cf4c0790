"""What can go wrong, as sentences: each error says what happened and, in `hint`, the next step to take."""

from __future__ import annotations

from typing import ClassVar


class ResizerError(Exception):
    """The root of this room's errors.

    `str(error)` is one sentence for whoever asked; `hint` is the next step for whoever runs the node.
    """

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.hint = hint


class ConfigError(ResizerError):
    """The configuration file cannot be used."""


class RefusalError(ResizerError):
    """A request that ends in an HTTP status other than success; `code` is its stable one-word name."""

    status: ClassVar[int]
    code: ClassVar[str]

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Return the response headers that belong to this refusal alone."""
        return ()


class BadAddressError(RefusalError):
    """The URL is not of the grammar in README.md."""

    status, code = 400, "bad_address"


class MissingError(RefusalError):
    """The store holds nothing under this key."""

    status, code = 404, "missing"


class MethodError(RefusalError):
    """The method is neither GET nor HEAD."""

    status, code = 405, "method"

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Name the methods that are allowed."""
        return (("Allow", "GET, HEAD"),)


class TooManyBytesError(RefusalError):
    """The original is a bigger file than the node agrees to read."""

    status, code = 413, "too_many_bytes"


class TooManyPixelsError(RefusalError):
    """The original's header announces more pixels than the node agrees to decode."""

    status, code = 413, "too_many_pixels"


class NotAnImageError(RefusalError):
    """The original is of no format this room reads."""

    status, code = 415, "not_an_image"


class UndecodableError(RefusalError):
    """The original is of a known format, but broken or cut short."""

    status, code = 422, "undecodable"


class TooSlowError(RefusalError):
    """The original takes longer to render than the node agrees to spend."""

    status, code = 422, "too_slow"


class StoreError(RefusalError):
    """The object store answered with a failure."""

    status, code = 502, "store_failed"


class BusyError(RefusalError):
    """All renderers stayed busy for as long as a request agrees to wait."""

    status, code = 503, "busy"

    def __init__(self, sentence: str, hint: str, retry_after_seconds: int) -> None:
        super().__init__(sentence, hint)
        self.retry_after_seconds = retry_after_seconds

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Say when to come back."""
        return (("Retry-After", str(self.retry_after_seconds)),)


class StoreTimeoutError(RefusalError):
    """The object store did not answer in time."""

    status, code = 504, "store_timeout"
