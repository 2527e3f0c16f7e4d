"""Which network addresses may be fetched from: public ones, by an explicit table.

`ipaddress.is_global` is no such table: on Python 3.11 and 3.13 it calls ``::127.0.0.1``, ``64:ff9b::7f00:1``,
``fec0::1``, ``224.0.0.1`` and ``168.63.129.16`` global.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

#: IPv4 ranges that are not somebody else's public server (IANA's special-purpose registry, and a few more).
DENIED_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a provider (100.100.100.200 is a cloud's metadata)"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's metadata"),
        ("169.254.0.0/16", "link-local (169.254.169.254 is a cloud's metadata)"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved (192.0.0.192 is a cloud's metadata)"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved or broadcast"),
    )
)
#: The only IPv6 range that is handed out to public servers, and what inside it is not.
_GLOBAL_V6 = IPv6Network("2000::/3")
DENIED_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("2001::/23", "a protocol's own (Teredo and others)"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4, which hides an IPv4 address"),
        ("3fff::/20", "documentation"),
    )
)
#: IPv4 inside IPv6, where the last four bytes are the address that is really meant.
_EMBEDDING = (IPv6Network("::ffff:0:0/96"), IPv6Network("64:ff9b::/96"))
#: ISATAP: the interface half of an address of any prefix says "IPv4 follows".
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})


def why_denied(address: str) -> str | None:
    """Why an address must not be fetched from, in words; None where it is a public one.

    IPv4 addresses inside IPv6 ones (mapped, NAT64, ISATAP) are judged by themselves.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return "no address at all"
    return _why_v4(found) if isinstance(found, IPv4Address) else _why_v6(found)


def _why_v4(address: IPv4Address) -> str | None:
    return next((reason for network, reason in DENIED_V4 if address in network), None)


def _why_v6(address: IPv6Address) -> str | None:
    inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    if any(address in network for network in _EMBEDDING):
        return _why_v4(inner)
    if address not in _GLOBAL_V6:
        return "loopback" if address.is_loopback else "not a public IPv6 address"
    reason = next((reason for network, reason in DENIED_V6 if address in network), None)
    if reason is None and (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        reason = _why_v4(inner)
    return reason
