"""Which IPv4 addresses a device in a network can have."""

from ipaddress import IPv4Address


def is_in_a_network(address: IPv4Address) -> bool:
    """Return whether a device can have this address: it names one host, and not this one."""
    return not (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        # 240.0.0.0/4 with the broadcast address, and 0.0.0.0/8, "this network" (RFC 6890).
        or address.is_reserved
        or address.packed[0] == 0
    )
