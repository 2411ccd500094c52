"""The named string formats as RE2 patterns that must match the whole value."""

from __future__ import annotations

from penstock.spec.contract import Format

_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"(?:{_OCTET}\.){{3}}{_OCTET}"
_GROUP = r"[0-9A-Fa-f]{1,4}"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"


def _ipv6() -> str:
    """RFC 4291: eight groups, or at most seven around one `::`; the last two groups may be written as IPv4."""
    forms = [rf"(?:{_GROUP}:){{6}}(?:{_GROUP}:{_GROUP}|{_IPV4})"]
    for before in range(8):
        head = rf"(?:{_GROUP}:){{{before - 1}}}{_GROUP}::" if before else "::"
        tails = [rf"(?:{_GROUP}:){{0,{6 - before}}}{_GROUP}"] if before < 7 else []
        tails += [rf"(?:{_GROUP}:){{0,{5 - before}}}{_IPV4}"] if before < 6 else []
        forms.append(head + (rf"(?:{'|'.join(tails)})?" if tails else ""))
    return "|".join(forms)


PATTERNS = {
    # The production of the HTML standard, with at least two labels in the domain.
    Format.EMAIL: rf"[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_LABEL}(?:\.{_LABEL})+",
    # RFC 9562 text form, either case.
    Format.UUID: r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    Format.IPV4: _IPV4,
    Format.IPV6: _ipv6(),
    # RFC 3986: scheme, colon, and only characters a URI may have.
    Format.URI: r"[A-Za-z][A-Za-z0-9+.-]*:(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+",
}
