"""Refusals of the EBS direct APIs, which are not worded as EC2's."""

from __future__ import annotations

from http import HTTPStatus

from localcloud.errors import LocalCloudError


class EbsRefused(LocalCloudError):
    """A request that EBS refuses, with its API's code and reason."""

    def __init__(self, status: HTTPStatus, code: str, message: str, reason: str = "") -> None:
        super().__init__(message, "see the EBS direct APIs' reference for what the call takes")
        self.status, self.code, self.reason = status, code, reason


def invalid(reason: str, message: str) -> EbsRefused:
    """A ValidationException with one of EBS's reasons; to be raised."""
    return EbsRefused(HTTPStatus.BAD_REQUEST, "ValidationException", message, reason)


def conflict(message: str) -> EbsRefused:
    """A ConflictException; to be raised."""
    return EbsRefused(HTTPStatus.CONFLICT, "ConflictException", message)


def missing(snapshot_id: str) -> EbsRefused:
    """A ResourceNotFoundException about a snapshot; to be raised."""
    return EbsRefused(
        HTTPStatus.NOT_FOUND,
        "ResourceNotFoundException",
        f"The snapshot '{snapshot_id}' does not exist.",
        "SNAPSHOT_NOT_FOUND",
    )
