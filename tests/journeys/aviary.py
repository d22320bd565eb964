"""A gateway in user mode as an operator runs it, every secret that it has, makes or is told, and all that it says.

All of them bear the mark of canaries, so that one search finds any of them wherever it is.
"""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import httpx2

from tests.house.tree import ROOT
from tests.journeys.gateway import GUARD_S, TESTED, free_port
from tests.support.canaries import MARK, MARKS, left_in, left_in_database, spelled_in
from tests.support.openai_server import OpenAiServer

PERDURE: Final = [sys.executable, "-m", "tests.support.marked"]
SHOWN: Final = re.compile(
    rb'"token": ?"(agw_[\w-]{60})"'
)  # a token in the one answer that shows it
ISSUED: Final = re.compile(r"abstractgateway_(session|csrf)=([^;]+);")
SECRET: Final = re.compile(r"[\w-]{43}")


@dataclass
class Aviary:
    """A gateway, its canaries by their names, and what was heard of it over every way but its files."""

    folder: Path
    provider: OpenAiServer
    postgres: str | None = None
    port: int = field(default_factory=free_port)
    secrets: dict[str, str] = field(default_factory=dict)  # by their names
    heard: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Where it keeps what it keeps in files."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What its process said."""
        return self.folder / "log"

    def hatch(self, name: str, secret: str = "") -> str:
        """Know a secret from now on, a new one unless it is given."""
        secret = secret or f"sk-{MARK}{token_hex(14)}"
        assert MARK in secret
        self.secrets[f"{name} ({len(self.secrets)})"] = secret
        return secret

    def environment(self) -> dict[str, str]:
        """What the process and the command line are started with: private settings are canaries, too."""
        sealing, pepper = MARK + token_hex(10), self.folder / "pepper"
        pepper.write_text(self.hatch("the pepper", MARK + token_hex(10)))
        pepper.chmod(0o600)
        self.hatch("the key of secrets", sealing)
        given = {
            "DATA_DIR": str(self.data), "PORT": str(self.port), "USER_AUTH": "1", "EMBEDDED_MODEL": "0",
            "LOG_LEVEL": "debug", "LOG_FORMAT": "json", "PEPPER_FILE": str(pepper),
            "AUTH_TOKEN": self.hatch("the installation's token"),
            "SESSION_SECRET": self.hatch("the key of sessions"),
            "SECRETS_KEY": b64encode(sealing.encode()).decode(),
            "EGRESS_LOOPBACK_PORTS": self.provider.url.rpartition(":")[2],
            "PROVIDER_OFFICE_BASE_URL": self.provider.base_url,
            "PROVIDER_OFFICE_API_KEY": self.hatch("the operator's key"),
        }  # fmt: skip
        if self.postgres is not None:
            password = self.hatch("the database's password")
            given["DATABASE_URL"] = self.postgres.replace("postgres@", f"postgres:{password}@")
        mine = {f"PERDURE_{name}": value for name, value in given.items()}
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "PYTHONPATH": f"{TESTED}:{ROOT}",
            "NO_COLOR": "1",
        } | mine

    # --- what it says ------------------------------------------------------------------------------

    async def hear(self, answer: httpx2.Response) -> None:
        """Take an answer in, whole; a secret that it shows on purpose is a canary from now on."""
        body = await answer.aread()
        name = f"{answer.request.method} {answer.request.url.path}: {answer.status_code}"
        if answer.status_code == 200 and (shown := SHOWN.search(body)):
            self.hatch("a token", shown[1].decode()[-43:])
            body = body.replace(shown[1], b"", 1)
        headers = [(key, value) for key, value in answer.headers.multi_items() if not self._issued(key, value)]  # fmt: skip
        self.heard.append((name, repr(headers).encode() + body))

    def _issued(self, header: str, value: str) -> bool:
        """Whether a header gives a browser what it is to keep."""
        issued = ISSUED.match(value) if header == "set-cookie" else None
        if issued is not None:
            self.hatch(f"a browser's {issued[1]}", SECRET.search(issued[2].partition("_")[2])[0])  # type: ignore[index]  # it is one
        return issued is not None

    async def command(self, environment: Mapping[str, str], *words: str) -> str:
        """Call the command line; what it said. A token that it shows on purpose is a canary."""
        process = await asyncio.create_subprocess_exec(
            *PERDURE, *words, cwd=ROOT, env=dict(environment), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(GUARD_S * 2):
            said, _ = await process.communicate()
        if shown := SHOWN.search(said):
            self.hatch("a token", shown[1].decode()[-43:])
            said = said.replace(shown[1], b"", 1)
        self.heard.append((" ".join(words), said))
        return said.decode()

    # --- its life ----------------------------------------------------------------------------------

    def start(self, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
        """Start its process, which writes its log to a file."""
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*PERDURE, "serve"], cwd=ROOT, env=dict(environment), stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip

    async def first_token(self, process: "subprocess.Popen[bytes]") -> str:
        """Wait until it serves; the first admin's token, which it printed this once."""
        async with asyncio.timeout(GUARD_S * 2):
            while b"Perdure serves at" not in self.log.read_bytes():
                assert process.poll() is None, self.log.read_text()
                await asyncio.sleep(0.05)
        token = (self.data / "auth/bootstrap-admin-token").read_text().strip()
        self.hatch("the first admin's token", token[-43:])
        return token

    async def stop(self, process: "subprocess.Popen[bytes]") -> None:
        """End it as a supervisor does."""
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, GUARD_S) == 0, self.log.read_text()[-2000:]

    def back_up(self) -> None:
        """Copy the files that it keeps while it writes in them."""
        shutil.copytree(self.data, self.folder / "backup", dirs_exist_ok=True)

    # --- the search --------------------------------------------------------------------------------

    def found(self) -> list[str]:
        """Every place where a canary is."""
        said = self.log.read_bytes()
        first = [line for line in said.splitlines() if line.startswith(b"agw_")]
        assert len(first) == 1, "the first admin's token is printed once"
        self.log.write_bytes(said.replace(first[0] + b"\n", b"", 1))
        places = left_in(self.folder)
        places += [f"{it} in {name}" for name, data in self.heard for it in spelled_in(data, MARKS)]
        if self.postgres is not None:
            plain = self.postgres.replace("+psycopg", "")
            places += left_in_database(plain)
        return places

    def counts(self) -> dict[str, Any]:
        """How many canaries of each kind there are."""
        kinds = [name.rpartition(" (")[0] for name in self.secrets]
        return {kind: kinds.count(kind) for kind in kinds}
