"""What is handed to those who run the program keeps it shut: the unit, the containers, and the proxies in front."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from tests.house.tree import ROOT

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd/perdure.service"
SHUT = (
    "NoNewPrivileges", "DynamicUser", "PrivateTmp", "PrivateDevices", "ProtectHome", "ProtectKernelModules",
    "ProtectKernelTunables", "ProtectControlGroups", "RestrictNamespaces", "RestrictSUIDSGID",
    "LockPersonality", "RestrictRealtime",
)  # fmt: skip
EXPOSURE_MAX = 2.0  # of 10, as systemd counts
FORWARDED = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")


def unit_of(path: Path) -> dict[str, dict[str, list[str]]]:
    """A unit's sections, with every value of every name."""
    sections: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in path.read_text().splitlines():
        if heading := re.fullmatch(r"\[(\w+)\]", line):
            section = heading[1]
            sections[section] = defaultdict(list)
        elif line and not line.startswith(("#", ";")):
            name, equals, value = line.partition("=")
            assert equals and section, f"no line of a unit: {line}"
            sections[section][name].append(value)
    return sections


def service_of(name: str) -> str:
    """What compose is told of one service."""
    found = re.search(
        rf"^  {name}:\n((?:    .*\n|\n)+)", (ROOT / "compose.yaml").read_text(), re.MULTILINE
    )
    assert found, name
    return found[1]


def test_the_unit_gives_the_process_an_account_and_a_folder_of_its_own_and_little_else() -> None:
    unit = unit_of(UNIT)
    service = unit["Service"]
    assert [name for name in SHUT if service[name] != ["yes"]] == []
    assert service["CapabilityBoundingSet"] == [""], "none"
    assert service["ProtectSystem"] == ["strict"] and service["UMask"] == ["0077"]
    assert service["StateDirectoryMode"] == ["0700"]
    assert service["ExecStart"][0].endswith("/perdure serve")
    assert unit["Install"]["WantedBy"] == ["multi-user.target"]


def test_the_unit_holds_no_secret_and_gives_the_token_as_a_credential() -> None:
    service = unit_of(UNIT)["Service"]
    assert "PERDURE_AUTH_TOKEN_FILE=%d/auth_token" in service["Environment"]
    assert service["LoadCredential"] == ["auth_token:/etc/perdure/auth_token"]
    assert not [it for it in service["Environment"] if it.startswith("PERDURE_AUTH_TOKEN=")]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_itself_finds_little_exposed() -> None:
    ran = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    level = re.search(r"Overall exposure level for \S+: ([\d.]+)", ran.stdout)
    assert level and float(level[1]) <= EXPOSURE_MAX, ran.stdout[-2000:]


def test_the_container_has_nothing_that_it_does_not_need() -> None:
    gateway = service_of("gateway")
    assert "read_only: true" in gateway and "cap_drop: [ALL]" in gateway
    assert '"127.0.0.1:8080:8080"' in gateway and "pids_limit:" in gateway
    for name in ("gateway", "postgres"):
        assert "no-new-privileges:true" in service_of(name)
    assert "networks: [database]" in service_of("postgres") and "ports:" not in service_of(
        "postgres"
    )
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^USER (\d+):", dockerfile, re.MULTILINE)[-1] != "0"


def test_no_secret_is_in_a_variable_of_a_container() -> None:
    named = re.findall(r"^ +(\w*(?:PASSWORD|TOKEN|SECRET|KEY)\w*):", (ROOT / "compose.yaml").read_text(), re.MULTILINE)  # fmt: skip
    assert [it for it in named if not it.endswith("_FILE")] == []


def test_the_proxies_replace_what_a_client_says_of_where_it_comes_from() -> None:
    nginx = (DEPLOY / "nginx/perdure.conf").read_text()
    sent = dict(re.findall(r"proxy_set_header (\S+)\s+(\S+);", nginx))
    assert [name for name in FORWARDED if name not in sent] == []
    assert "$proxy_add_x_forwarded_for" not in nginx and "proxy_buffering off" in nginx
    caddy = (DEPLOY / "caddy/Caddyfile").read_text()
    assert "trusted_proxies" not in caddy, "without it Caddy replaces them"
    assert "flush_interval -1" in caddy
    for text in (nginx, caddy):
        assert "Strict-Transport-Security" in text
