"""What is banned stands only in the places that are named here, whatever a `noqa` says."""

import json
import re
import subprocess
import sys
from fnmatch import fnmatch

from tests.house.tree import ROOT, name_of, tracked_files

SETTINGS = ["src/perdure/app/settings.py"]
CLOCK = ["src/perdure/clock.py"]
EGRESS = ["src/perdure/adapters/*"]
CLIENTS = [*EGRESS, "src/perdure/app/client.py"]
ALLOWED = {
    "os.environ": SETTINGS,
    "os.getenv": SETTINGS,
    "datetime.datetime.now": CLOCK,
    "time.time": CLOCK,
    "time.monotonic": CLOCK,
    "uuid_utils": ["src/perdure/ids.py"],
    "httpx.AsyncClient": CLIENTS,
    "httpx.Client": CLIENTS,
    "httpx2.AsyncClient": CLIENTS,
    "httpx2.Client": CLIENTS,
}
CATCHES_ALL = ["src/perdure/runtimes/containing.py", "src/perdure/app/processes.py"]


def found(rule: str) -> list[tuple[str, str]]:
    """Each breach of `rule` in the sources as (file, message), with every exemption off."""
    options = [
        "check",
        "src",
        "--ignore-noqa",
        "--no-cache",
        "--output-format",
        "json",
        "--exit-zero",
    ]
    bare = ["--select", rule, "--config", "lint.per-file-ignores={}"]
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", *options, *bare],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    breaches = json.loads(ran.stdout)
    return [(it["filename"].removeprefix(f"{ROOT}/"), it["message"]) for it in breaches]


def test_banned_names_stand_only_in_their_place() -> None:
    misplaced = []
    for file, message in found("TID251"):
        named = re.match(r"`([\w.]+)`", message)
        assert named, message
        if not any(fnmatch(file, place) for place in ALLOWED.get(named[1], [])):
            misplaced.append(f"{file}: {message}")
    assert misplaced == []


def test_the_search_sees_the_places() -> None:
    assert any(file == CLOCK[0] for file, _ in found("TID251"))


def test_all_errors_are_caught_in_two_places_only() -> None:
    assert {file for file, _ in found("BLE001")} <= set(CATCHES_ALL)


def test_no_type_is_ignored_without_its_code_and_its_reason() -> None:
    silenced = re.compile(r"#\s*type:\s*ignore(?!\[[\w, -]+\]\s+#\s*\w)")
    bare = [
        f"{name_of(path)}:{number}"
        for path in tracked_files()
        if path.suffix == ".py" and path.name != "test_bans.py"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if silenced.search(line)
    ]
    assert bare == [], "write `# type: ignore[code]  # why`"
