"""Certificates of listeners: made for a name, or the one that was uploaded, if TLS can be spoken with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from localcloud.lb_certificates import made_for, recorded

if TYPE_CHECKING:
    from aws.session import Cloud

REGION = "eu-central-1"
LONG = f"internal-{'a' * 60}-123456789.{REGION}.elb.amazonaws.com"


def account() -> str:
    from moto.core import DEFAULT_ACCOUNT_ID

    return str(DEFAULT_ACCOUNT_ID)


def halves(pem: str) -> tuple[str, str]:
    """The certificate and the key."""
    at = pem.index("-----BEGIN PRIVATE KEY")
    return pem[:at], pem[at:]


@pytest.mark.parametrize("name", [f"web-1.{REGION}.elb.amazonaws.com", LONG])
def test_a_certificate_is_for_the_whole_name_however_long(name: str) -> None:
    certificate = x509.load_pem_x509_certificate(made_for(name).encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [name]
    (common,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    assert common.value == name[:64]


def uploaded(certificate: str, key: str) -> str | None:
    """What is served for a certificate that IAM was given."""
    iam: Any = boto3.client("iam", region_name=REGION)
    made = iam.upload_server_certificate(
        ServerCertificateName="web", CertificateBody=certificate, PrivateKey=key
    )
    return recorded(account(), REGION, made["ServerCertificateMetadata"]["Arn"])


def test_an_uploaded_certificate_is_served_with_its_key(mock_cloud: Cloud) -> None:
    certificate, key = halves(made_for("web.test"))
    found = uploaded(certificate, key)
    assert found
    assert halves(found)[1].strip() == key.strip()
    assert x509.load_pem_x509_certificate(found.encode()) == x509.load_pem_x509_certificate(
        certificate.encode()
    )


def test_a_key_of_another_certificate_or_none_is_not_served(mock_cloud: Cloud) -> None:
    certificate, key = halves(made_for("web.test"))[0], halves(made_for("other.test"))[1]
    assert uploaded(certificate, key) is None


def test_a_text_that_is_no_key_is_not_served(mock_cloud: Cloud) -> None:
    assert uploaded(halves(made_for("web.test"))[0], "no key") is None


def test_a_name_that_nobody_keeps_is_not_served(mock_cloud: Cloud) -> None:
    assert recorded(account(), REGION, "arn:aws:iam::123456789012:server-certificate/none") is None
    assert recorded(account(), REGION, f"arn:aws:acm:{REGION}:123456789012:certificate/none") is None
