"""What a broker's certificate says, for people."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509

from engine.clusters.probing import Server

_MOST_NAMES = 12


def names_in(certificate: x509.Certificate) -> list[str]:
    """Return the host names and addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    hosts = names.get_values_for_type(x509.DNSName)
    return [*hosts, *(str(each) for each in names.get_values_for_type(x509.IPAddress))]


def certificate_lines(server: Server, shown: x509.Certificate) -> Sequence[str]:
    """Say who it is for, who issued it, and when it is valid."""
    names = names_in(shown)
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    begins, ends = shown.not_valid_before_utc, shown.not_valid_after_utc
    return (
        f"{server} shows {shown.subject.rfc4514_string() or 'a certificate without a subject'}",
        f"for {', '.join(names[:_MOST_NAMES]) or 'no host'}{more}",
        f"issued by {shown.issuer.rfc4514_string()}",
        f"valid from {begins:%Y-%m-%d %H:%M} to {ends:%Y-%m-%d %H:%M} UTC",
    )
