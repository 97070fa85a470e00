"""Outgoing addresses: no spelling of an address leads into the server's own network."""

import ipaddress

import pytest
from pytest_django import Settings

from companion.service.addresses import NoWay, Reach, connected, near_by, reach


def spellings(lines: str) -> list[str]:
    return lines.split()


THIS_MACHINE = spellings("""
    127.0.0.1 127.1 127.0.1 127.255.255.254 2130706433 0x7f000001 0x7f.1 0X7F.0.0.1 0177.0.0.1 017700000001
    0177.1 0x7f.0x0.0x0.0x1 127.0.0.0x1 localhost LOCALHOST ::1 0:0:0:0:0:0:0:1 0000::0001 ::ffff:127.0.0.1
    ::ffff:7f00:1 0:0:0:0:0:ffff:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::7f00:1 ①②⑦.⓪.⓪.① １２７.０.０.１ 127。0。0。1
""")
PRIVATE = spellings("""
    10.0.0.1 10.1 167772161 0xa000001 012.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 0xac100001 192.168.0.1
    192.168.257 3232235521 0300.0250.0.1 100.64.0.1 100.127.255.255 fc00::1 fd12:3456::1 ::ffff:10.0.0.1
    ::ffff:c0a8:1 64:ff9b::a00:1
""")
NOWHERE = spellings("""
    0.0.0.0 0 0x0 0.1 :: 169.254.169.254 169.254.43518 2852039166 0xa9fea9fe 0251.0376.0251.0376
    ::ffff:169.254.169.254 ::ffff:a9fe:a9fe 64:ff9b::a9fe:a9fe ::169.254.169.254 ::127.0.0.1 ::7f00:1 fe80::1
    fe80::a9fe:a9fe fec0::1 100.100.100.200 168.63.129.16 fd00:ec2::254 fd20:ce::254 192.0.0.192 192.0.2.1
    192.88.99.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 ff02::1
    100::1 2001::1 2001:0:7f00:1:: 2001:10::1 2001:db8::1 2002:7f00:1:: 2002:a00:1::1 3fff::1 5f00::1
    64:ff9b:1::7f00:1 4000::1 2606:4700::5efe:127.0.0.1 2606:4700::200:5efe:10.0.0.1
""")
INTERNET = spellings("""
    1.1.1.1 8.8.8.8 149.154.167.220 192.0.1.1 172.32.0.1 100.128.0.1 2001:67c:4e8:f004::9 2606:4700::1111
    64:ff9b::808:808 ::ffff:8.8.8.8
""")


@pytest.mark.parametrize("host", [*THIS_MACHINE, *PRIVATE, *NOWHERE])
def test_no_spelling_leads_into_the_servers_own_network(host: str) -> None:
    with pytest.raises(NoWay):
        connected(host, 9, lambda ip: reach(ip) is Reach.INTERNET, seconds=1)


@pytest.mark.parametrize("host", NOWHERE)
def test_no_setting_opens_a_clouds_metadata_or_the_local_link(host: str, settings: Settings) -> None:
    settings.SANDBOX_ON = True

    with pytest.raises(NoWay):
        connected(host, 9, lambda ip: near_by(ip, private_networks=True), seconds=1)


@pytest.mark.parametrize("host", PRIVATE)
def test_the_sandbox_alone_opens_no_private_network(host: str, settings: Settings) -> None:
    settings.SANDBOX_ON = True

    with pytest.raises(NoWay):
        connected(host, 9, lambda ip: near_by(ip, private_networks=False), seconds=1)


@pytest.mark.parametrize("address", INTERNET)
def test_the_internet_may_be_reached(address: str) -> None:
    assert reach(ipaddress.ip_address(address)) is Reach.INTERNET


def test_a_name_that_is_no_name_is_told_so() -> None:
    with pytest.raises(NoWay, match="not known"):
        connected("a..b", 9, lambda ip: True, seconds=1)
