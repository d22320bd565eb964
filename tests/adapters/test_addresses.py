"""Which addresses are open to calls that users steer: the public ones, and what the operator opened."""

from ipaddress import ip_address

import pytest

from perdure.adapters.addresses import AddressRules, Refused, rules_of
from perdure.stores.sites import Site

CLOSED = [
    # loopback, nobody, private, shared, neighbours and metadata
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255",
    "192.168.0.1", "100.64.0.1", "100.127.255.255", "169.254.169.254", "169.254.170.2",
    "168.63.129.16", "100.100.100.200", "192.0.0.192",
    # benchmarks, documentation, old relays, everybody, reserved
    "198.18.0.1", "198.19.255.255", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1",
    "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    # the same in the sixth version, and what stands for the fourth
    "::1", "::", "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "3fff::1",
    "100::1", "2001::1", "2001:10::1", "5f00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1",
    "64:ff9b::808:808", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:808:808::1",
]  # fmt: skip
OPEN = [
    "8.8.8.8",
    "1.1.1.1",
    "172.15.0.1",
    "172.32.0.1",
    "100.128.0.1",
    "2606:4700::1111",
    "2a00:1450::1",
]
ODD = [0, 1, 22, 25, 53, 81, 110, 442, 444, 1023, 2375, 3306, 5432, 6379, 6667, 9200, 11211, 27017]


def refusal(
    rules: AddressRules, address: str, host: str = "models.example", port: int = 443
) -> str:
    """Why a call may not go there; the empty text where it may."""
    try:
        rules.check(Site("https", host, port), ip_address(address))
    except Refused as refused:
        return str(refused)
    return ""


@pytest.mark.parametrize("address", CLOSED)
def test_no_special_address_is_reached(address: str) -> None:
    told = refusal(AddressRules(), address)
    assert "no public address" in told and address not in told


@pytest.mark.parametrize("address", OPEN)
def test_public_addresses_are_reached(address: str) -> None:
    assert refusal(AddressRules(), address) == ""


@pytest.mark.parametrize("port", ODD)
def test_odd_ports_are_not_called(port: int) -> None:
    assert f"port {port}" in refusal(AddressRules(), "8.8.8.8", port=port)
    assert refusal(rules_of([f"8.8.8.8:{port}"]), "8.8.8.8", port=port) == ""


def test_what_an_operator_opens_is_reached_and_nothing_beside_it() -> None:
    rules = rules_of(["10.1.0.0/16", "192.168.1.5", "gpu.lan:8000", "[fd00::1]:8080", "fd12::/16"])
    assert refusal(rules, "10.1.2.3") == refusal(rules, "192.168.1.5") == ""
    assert refusal(rules, "10.2.0.1") and refusal(rules, "192.168.1.6")
    assert refusal(rules, "10.9.9.9", "gpu.lan", 8000) == ""
    assert refusal(rules, "10.9.9.9", "gpu.lan", 443) and refusal(
        rules, "10.9.9.9", "a.gpu.lan", 8000
    )
    assert refusal(rules, "fd00::1", port=8080) == "" and refusal(rules, "fd00::1", port=8081)
    assert refusal(rules, "fd12::7") == ""
    assert refusal(rules, "10.1.2.3", port=6379), "a port that is odd has to be named too"


def test_a_name_that_is_opened_never_means_metadata() -> None:
    rules = rules_of(["gpu.lan"])
    assert refusal(rules, "10.0.0.1", "gpu.lan") == refusal(rules, "127.0.0.1", "gpu.lan") == ""
    for address in ("169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1", "fd00:ec2::254"):
        assert refusal(rules, address, "gpu.lan")
    assert refusal(rules_of(["169.254.169.254"]), "169.254.169.254") == ""


def test_ports_of_this_machine_are_opened_one_by_one() -> None:
    rules = rules_of([], [11434])
    assert (
        refusal(rules, "127.0.0.1", "localhost", 11434) == refusal(rules, "::1", port=11434) == ""
    )
    assert refusal(rules, "127.0.0.1", port=11435) and refusal(rules, "10.0.0.1", port=11434)
    assert refusal(rules, "::ffff:127.0.0.1", port=11434)


def test_what_is_translated_is_looked_at_as_well() -> None:
    rules = rules_of(["64:ff9b::/96"])
    assert refusal(rules, "64:ff9b::808:808") == ""
    assert refusal(rules, "64:ff9b::7f00:1")


@pytest.mark.parametrize(
    "text", ["", "a b", "10.0.0.0/33", "10.0.0.1/8", "gpu.lan:x", "127.1", "http://a"]
)
def test_an_opening_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        rules_of([text])
