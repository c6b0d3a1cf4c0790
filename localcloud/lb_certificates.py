"""Certificates for listeners that speak TLS: the uploaded one, or one made for the load balancer's name."""

from __future__ import annotations

import datetime as dt

_DAYS = 397
_NAME_LENGTH = 64  # X.509's limit of a common name; the alternative name holds the whole


def made_for(name: str) -> str:
    """A self-signed certificate for a name and its key, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_NAME_LENGTH])])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (certificate.public_bytes(serialization.Encoding.PEM) + private).decode()


def recorded(account: str, region: str, arn: str) -> str | None:
    """The certificate of an ARN as ACM or IAM holds it, None when they do not hold a usable one."""
    from moto.acm.models import acm_backends
    from moto.iam.models import iam_backends

    if ":acm:" in arn:
        bundle = acm_backends[account][region]._certificates.get(arn)
        parts = [bundle.cert, bundle.chain or b"", bundle.key] if bundle else []
        return _pem(b"\n".join(parts).decode()) if parts else None
    for one in iam_backends[account]["aws"].certificates.values():
        if one.arn == arn:
            return _pem("\n".join([one.cert_body, one.cert_chain or "", one.private_key]))
    return None


def _pem(text: str) -> str | None:
    """The text, when TLS can be spoken with what it holds."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    start = text.rfind("-----BEGIN", 0, max(0, text.find("PRIVATE KEY-----")))
    if start < 0:
        return None
    try:
        certificate = x509.load_pem_x509_certificate(text.encode())
        key = serialization.load_pem_private_key(text[start:].encode(), None)
    except (ValueError, TypeError):
        return None
    return text if certificate.public_key() == key.public_key() else None
