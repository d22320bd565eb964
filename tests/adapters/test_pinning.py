"""What was checked is what is reached: names are looked up once, and connected to by address."""

import socket
import ssl
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from perdure.adapters.addresses import rules_of
from perdure.adapters.egress import Egress
from perdure.stores.http import HttpFailed
from tests.support.loopback import Call, Exchange, Loopback

pytestmark = pytest.mark.anyio


class Names:
    """A resolver whose answers a test chooses, one after the other; the last one stays."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self.answers = {name.replace("_", "."): list(told) for name, told in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, f"no {host} at 10.3.2.1")
        told = self.answers[host]
        return told.pop(0) if len(told) > 1 else told[0]


@pytest.fixture
def server() -> Generator[Loopback]:
    def answer(call: Call, exchange: Exchange) -> None:
        exchange.reply(200, call.headers["host"].encode())

    with Loopback(answer) as running:
        yield running


@pytest.fixture
async def made() -> AsyncGenerator[Callable[..., Egress]]:
    clients: list[Egress] = []

    def make(names: Names, *openings: str, ports: Sequence[int] = ()) -> Egress:
        clients.append(Egress(rules=rules_of(openings, ports), resolve=names))
        return clients[-1]

    yield make
    for client in clients:
        await client.close()


Make = Callable[..., Egress]


async def refusal(egress: Egress, url: str) -> HttpFailed:
    with pytest.raises(HttpFailed) as failed:
        await egress.bound().send(
            "GET", url, timeout_s=5, headers={"authorization": "Bearer s3cret"}
        )
    assert "s3cret" not in str(failed.value)
    return failed.value


async def test_a_name_goes_on_in_the_host_header(made: Make, server: Loopback) -> None:
    egress = made(Names(models_example=[["127.0.0.1"]]), ports=[server.port])
    reply = await egress.bound().send("GET", f"http://models.example:{server.port}/")
    assert reply.body == f"models.example:{server.port}".encode()


async def test_a_name_that_means_something_else_a_moment_later_changes_nothing(
    made: Make, server: Loopback
) -> None:
    names = Names(evil_example=[["127.0.0.2"], ["127.0.0.1"]])
    egress = made(names, "127.0.0.2")
    url = f"http://evil.example:{server.port}/"
    assert (await refusal(egress, url)).code == "refused", "it went to where nobody listens"
    assert names.asked == ["evil.example"], "between check and connection nobody asks again"
    assert (await refusal(egress, url)).code == "not_allowed", "and each connection is checked anew"
    assert server.calls == []


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["::1"], ["8.8.8.8", "127.0.0.1"], ["127.0.0.1", "8.8.8.8"], ["10.0.0.1"],
     ["::ffff:127.0.0.1"], ["169.254.169.254"], ["fe80::1%eth0"], ["not an address"]],
)  # fmt: skip
async def test_a_name_with_one_closed_address_is_not_reached(
    made: Make, server: Loopback, addresses: list[str]
) -> None:
    failed = await refusal(
        made(Names(evil_example=[addresses])), f"http://evil.example:{server.port}/"
    )
    assert (failed.code, failed.sent, server.calls) == ("not_allowed", False, [])
    assert not any(address in failed.detail for address in addresses)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1", "127.1", "0", "0.0.0.0",
     "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[fe80::1%25lo]",
     "127.0.0.1.", "localhost.", "127。0。0。1", "①②⑦.⓪.⓪.①", "ⓛocalhost", "%6cocalhost", "127.0.0.1%00",
     "user@127.0.0.1", "example.com@127.0.0.1", "example.com:80@127.0.0.1", "example.com\\@127.0.0.1",
     "127.0.0.1#@example.com", "localhost"],
)  # fmt: skip
async def test_no_spelling_of_this_machine_is_reached(
    made: Make, server: Loopback, host: str
) -> None:
    egress = made(Names(localhost=[["127.0.0.1", "::1"]], example_com=[["127.0.0.1"]]))
    url = f"http://{host}:{server.port}/" if "#" not in host else f"http://{host}"
    failed = await refusal(egress, url)
    assert (failed.code, failed.sent, server.calls) == ("not_allowed", False, [])


@pytest.mark.parametrize(
    "host",
    ["017700000001", "0x7f.1", "127.000.000.001", "0x0", "00", "１２７.0.0.1", "127%2e0.0.1", "LOCALHOST",
     "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[0000::0001]", "[::ffff:0:127.0.0.1]",
     "169.254.169.254", "2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "[::ffff:169.254.169.254]",
     "[fd00:ec2::254]", "metadata.example", "10.0.0.1", "167772161", "192.168.1", "[fc00::1]", "8.8.8.8:25",
     "8.8.8.8:0", "8.8.8.8:6379", "[2606:4700::1111]:22"],
)  # fmt: skip
async def test_no_spelling_of_a_closed_place_is_reached(made: Make, host: str) -> None:
    """Nothing listens for these: a call that went out would be refused in other words."""
    egress = made(Names(metadata_example=[["169.254.169.254"]], localhost=[["127.0.0.1"]]))
    failed = await refusal(egress, f"http://{host}/")
    assert (failed.code, failed.sent) == ("not_allowed", False)


@pytest.mark.parametrize("way", ["port", "host", "name and password", "scheme"])
async def test_a_redirect_takes_no_key_to_any_other_origin(
    made: Make, server: Loopback, way: str
) -> None:
    """Also to one that may be reached: the answer is the redirect itself, or a refusal."""

    def away(call: Call, exchange: Exchange) -> None:
        here = call.headers["host"]
        to = {
            "port": f"http://models.example:{server.port}/",
            "host": f"http://other.example:{server.port}/",
            "name and password": f"http://who:what@{here}/",
            "scheme": f"https://{here}/",
        }
        exchange.reply(307, b"", {"location": to[way]})

    with Loopback(away) as first:
        names = Names(models_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
        egress = made(names, ports=[first.port, server.port])
        url = f"http://models.example:{first.port}/"
        key = {"authorization": "Bearer s3cret", "x-api-key": "s3cret"}
        try:
            reply = await egress.bound().send("POST", url, headers=key, timeout_s=5)
            assert reply.status == 307
        except HttpFailed as failed:
            assert failed.code == "not_allowed" and "s3cret" not in str(failed)
        assert len(first.calls) == 1
    assert server.calls == []


async def test_a_redirect_to_a_closed_place_is_the_answer(made: Make, server: Loopback) -> None:
    def away(call: Call, exchange: Exchange) -> None:
        exchange.reply(302, b"", {"location": f"http://127.0.0.1:{server.port}/"})

    with Loopback(away) as first:
        egress = made(Names(models_example=[["127.0.0.1"]]), ports=[first.port, server.port])
        reply = await egress.bound().send(
            "GET",
            f"http://models.example:{first.port}/",
            headers={"authorization": "Bearer s3cret"},
        )
    assert (reply.status, server.calls) == (302, [])


async def test_a_kept_connection_serves_nobody_with_other_rules(
    made: Make, server: Loopback
) -> None:
    egress = made(Names())
    assert (await egress.own(server.url).send("GET", server.url)).status == 200
    assert (await refusal(egress, server.url)).code == "not_allowed"
    assert len(server.calls) == 1


async def test_the_operator_s_own_client_reaches_its_origin_alone(
    made: Make, server: Loopback
) -> None:
    http = made(Names()).own(f"{server.url}/v1")
    for url in (
        f"http://localhost:{server.port}/",
        "http://127.0.0.1:1/",
        f"https://127.0.0.1:{server.port}/",
    ):
        with pytest.raises(HttpFailed) as failed:
            await http.send("GET", url, headers={"authorization": "Bearer s3cret"})
        assert (failed.value.code, failed.value.sent) == ("not_allowed", False)
    assert server.calls == []


async def test_the_next_address_is_tried_where_nobody_listens(made: Make, server: Loopback) -> None:
    egress = made(Names(models_example=[["127.0.0.2", "127.0.0.1"]]), ports=[server.port])
    assert (await egress.bound().send("GET", f"http://models.example:{server.port}/")).status == 200


async def test_a_name_that_nobody_has_says_nothing_of_who_was_asked(made: Make) -> None:
    failed = await refusal(made(Names()), "http://nowhere.example/")
    assert (failed.code, failed.sent) == ("refused", False)
    assert "10.3.2.1" not in failed.detail


async def test_proxies_of_the_environment_are_not_used(
    made: Make, server: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    egress = made(Names(models_example=[["127.0.0.1"]]), ports=[server.port])
    assert (await egress.bound().send("GET", f"http://models.example:{server.port}/")).status == 200


async def test_a_resolver_that_does_not_answer_ends_with_the_deadline(made: Make) -> None:
    async def silent(host: str, port: int) -> Sequence[str]:
        await anyio.sleep_forever()
        raise AssertionError

    egress = Egress(resolve=silent)
    with pytest.raises(HttpFailed) as failed:
        await egress.bound().send("GET", "http://models.example/", timeout_s=0.1)
    await egress.close()
    assert (failed.value.code, failed.value.sent) == ("timeout", False)


# --- TLS: the certificate has to be that of the name, though the connection goes by address ------


def certificate(folder: Path, name: str) -> Path:
    """A certificate for `name`, signed by itself, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder().subject_name(who).issuer_name(who).public_key(key.public_key())
        .serial_number(7).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = folder / "certificate.pem"
    form = (
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(made.public_bytes(form[0]) + key.private_bytes(*form))
    return path


class Secure:
    """A server that speaks TLS on loopback and keeps the names that it was asked for."""

    def __init__(self, path: Path) -> None:
        self.asked: list[str | None] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.sni_callback = lambda _socket, name, _context: self.asked.append(name)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._context = context
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                if connection.recv(1, socket.MSG_PEEK) == b"x":
                    return
                try:
                    with self._context.wrap_socket(connection, server_side=True) as secure:
                        secure.recv(4_096)
                        secure.sendall(
                            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
                        )
                except OSError:
                    continue

    def close(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"x")
            self._thread.join()
        self._listening.close()


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Secure]:
    path = certificate(tmp_path, "models.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    running = Secure(path)
    yield running
    running.close()


async def test_the_handshake_names_the_host_and_not_the_address(made: Make, secure: Secure) -> None:
    egress = made(
        Names(models_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]]), ports=[secure.port]
    )
    reply = await egress.bound().send("GET", f"https://models.example:{secure.port}/", timeout_s=5)
    assert (reply.body, secure.asked) == (b"ok", ["models.example"])
    failed = await refusal(egress, f"https://other.example:{secure.port}/")
    assert (failed.code, failed.sent) == ("refused", False)
    assert "certificate" in failed.detail
