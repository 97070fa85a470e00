"""The browser's address behind proxies: read from the right, and only as far as our own proxies vouch for it."""

import pytest

from companion.config.environment import Environment
from companion.service.client_address import client_address, neighbourhood, read_networks

PROXIES = read_networks("10.0.0.0/8, 127.0.0.1, fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("203.0.113.9", "", "203.0.113.9"),
        ("203.0.113.9", "1.1.1.1", "203.0.113.9"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9, 10.0.0.2", "203.0.113.9"),
        ("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2, 127.0.0.1", "203.0.113.9"),
        ("10.0.0.1", "10.0.0.9", "10.0.0.9"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.9, garbage", "10.0.0.1"),
        ("10.0.0.1", "garbage, 203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", " , ,203.0.113.9", "203.0.113.9"),
        ("10.0.0.1", "203.0.113.9:4711", "203.0.113.9"),
        ("10.0.0.1", "[2001:db8::1]:443", "2001:db8::1"),
        ("10.0.0.1", "2001:DB8::1", "2001:db8::1"),
        ("fd00::1", "203.0.113.9", "203.0.113.9"),
        ("::ffff:10.0.0.1", "203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "1.1.1.1", "203.0.113.9"),
        ("", "203.0.113.9", "0.0.0.0"),
        ("not an address", "203.0.113.9", "0.0.0.0"),
        ("10.0.0.1", "203.0.113.9\n", "203.0.113.9"),
        ("10.0.0.1", "," * 10_000, "10.0.0.1"),
    ],
)
def test_the_address_is_the_first_from_the_right_that_is_no_proxy_of_ours(
    peer: str, forwarded: str, address: str
) -> None:
    assert client_address(peer, forwarded, PROXIES) == address


def test_a_household_of_ipv6_is_one_neighbour() -> None:
    assert neighbourhood("2001:db8:1:2:3::4") == "2001:db8:1:2::/64"
    assert neighbourhood("203.0.113.9") == "203.0.113.9"


@pytest.mark.parametrize(
    "wrong", ["10.0.0.1/8", "proxy.example", "0.0.0.0/0", "::/0", "10.0.0.0/33", "10.0.0.1;10.0.0.2"]
)
def test_a_wrong_list_of_proxies_stops_the_start(wrong: str) -> None:
    with pytest.raises(ValueError, match="trusted_proxies"):
        Environment(trusted_proxies=wrong)


def test_no_proxy_may_be_named() -> None:
    assert Environment(trusted_proxies="").proxies == ()
