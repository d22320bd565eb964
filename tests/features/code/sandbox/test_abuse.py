"""Whatever code tries, it reaches nothing of the host: a table of attempts, each contained.

An attempt is contained when it is refused inside the sandbox (an error that its author sees) or when
a bound ends it. Beside its answer the host is looked at: a secret that must not be read, a server
that must not be called, a process that must live on.
"""

import os
import socket
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from perdure.features.code.sandbox.sandbox import Answer, Refusal
from perdure.kernel.values import Json
from tests.support.sandboxes import BOUNDS, run

SECRET = "hushed-4711"


@dataclass(frozen=True)
class Attempt:
    """What code tries. `ends` is the error that its author sees, or the bound that ends it."""

    name: str
    body: str
    ends: str  # a word of the error, `limit` for a bound, or `died`


LIBC = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"


def of_libc(call: str) -> str:
    """A call of the C library that must fail."""
    return f"{LIBC}assert libc.{call} >= 0, f'errno {{ctypes.get_errno()}}'"


FILES = (
    Attempt("reads a host file", "return open('/etc/passwd').read()", "Error"),
    Attempt("reads a secret by its path", "return open(given['secret']).read()", "Error"),
    Attempt("asks what a host file weighs", "import os\nreturn os.stat('/etc/shadow').st_size", "Error"),
    Attempt("lists the host's temporary files", "import os\nreturn os.listdir('/tmp')", "Error"),
    Attempt("walks up out of its folder", "return open('../../../../../../etc/hostname').read()", "Error"),
    Attempt("makes a symbolic link out", "import os\nos.symlink(given['secret'], '/usr/lib/way')\nreturn open('/usr/lib/way').read()", "Error"),
    Attempt("makes a hard link out", "import os\nos.link(given['secret'], 'way')", "Error"),
    Attempt("writes a file where it stands", "open('note', 'w').write('x')", "Error"),
    Attempt("writes a file into the temporary folder", "open('/tmp/note', 'w').write('x')", "Error"),
    Attempt("writes into Python's library", "import json\nopen(json.__file__, 'a').write('x')", "Error"),
    Attempt("writes to shared memory", "open('/dev/shm/note', 'w').write('x')", "Error"),
    Attempt("reads a disk", "return open('/dev/vda', 'rb').read(1)", "Error"),
    Attempt("reads the kernel's memory", "return open('/dev/mem', 'rb').read(1)", "Error"),
    Attempt("makes a device", "import os\nos.mknod('disk', 0o60600, os.makedev(254, 0))", "Error"),
    Attempt("keeps memory in a file that has no name", "import os\nos.memfd_create('x')", "Error"),
)  # fmt: skip
PROC = (
    Attempt("reads its own environment in /proc", "return open('/proc/self/environ').read()", "Error"),
    Attempt("reads its parent's environment", "import os\nreturn open(f'/proc/{os.getppid()}/environ').read()", "Error"),
    Attempt("reads its parent's memory", "import os\nreturn open(f'/proc/{os.getppid()}/mem', 'rb').read(1)", "Error"),
    Attempt("looks at the host through /proc", "return open('/proc/1/root/etc/passwd').read()", "Error"),
    Attempt("lists processes", "import os\nreturn os.listdir('/proc')", "Error"),
    Attempt("reads the kernel's settings", "return open('/proc/sys/kernel/hostname').read()", "Error"),
    Attempt("reads /sys", "import os\nreturn os.listdir('/sys')", "Error"),
)  # fmt: skip
NETWORK = (
    Attempt("calls a server of the host", "import socket\nsocket.create_connection(('127.0.0.1', given['port']), 2)", "Error"),
    Attempt("calls the network", "import socket\nsocket.create_connection(('192.0.2.1', 80), 2)", "Error"),
    Attempt("sends a datagram", "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))", "Error"),
    Attempt("listens", "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\ns.listen()", "Error"),
    Attempt("asks a name server", "import socket\nreturn socket.getaddrinfo('example.org', 80)", "error"),
    Attempt("calls a socket file of the host", "import socket\nsocket.socket(socket.AF_UNIX).connect(given['socket'])", "Error"),
    Attempt("opens a raw socket", "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)", "Error"),
)  # fmt: skip
PROCESSES = (
    Attempt("forks without end", "import os\nwhile True:\n    os.fork()", "Error"),
    Attempt("starts a shell", "import subprocess\nreturn subprocess.check_output(['/bin/sh', '-c', 'id'])", "Error"),
    Attempt("becomes a shell", "import os\nos.execv('/bin/sh', ['sh', '-c', 'id'])", "Error"),
    Attempt("kills its keeper", "import os\nos.kill(os.getppid(), 9)", "Error"),
    Attempt("kills a process of the host", "import os\nos.kill(given['victim'], 9)", "Error"),
    Attempt("kills its group", "import os\nos.kill(0, 9)", "limit"),
    Attempt("leaves its session", "import os\nos.setsid()", "Error"),
    Attempt("traces a process", of_libc("ptrace(16, 1, 0, 0)"), "errno"),
    Attempt("outlives its keeper", of_libc("prctl(1, 0, 0, 0, 0)"), "errno"),
    Attempt("starts threads without end", "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=(9,), daemon=True).start()", "limit"),
)  # fmt: skip
KERNEL = (
    Attempt("mounts", of_libc("mount(b'x', b'/', b'tmpfs', 0, 0)"), "errno"),
    Attempt("makes a namespace", of_libc("unshare(0x10000000)"), "errno"),
    Attempt("moves its root", of_libc("chroot(b'/')"), "errno"),
    Attempt("loads a program into the kernel", of_libc("syscall(321, 0, 0, 0)"), "errno"),
    Attempt("asks the kernel for work in a ring", of_libc("syscall(425, 1, 0)"), "errno"),
    Attempt("ends the machine", of_libc("reboot(0)"), "errno"),
    Attempt("goes before others", "import os\nos.setpriority(os.PRIO_PROCESS, 0, -5)", "Error"),
    Attempt("raises its bound", "import resource\nresource.setrlimit(resource.RLIMIT_CPU, (99, 99))", "Error"),
)  # fmt: skip
BOUNDS_OF = (
    Attempt("never ends", "while True:\n    pass", "limit"),
    Attempt("never ends and ignores every signal", "import signal\nfor it in range(1, 65):\n    try:\n        signal.signal(it, signal.SIG_IGN)\n    except (OSError, ValueError):\n        pass\nwhile True:\n    pass", "limit"),
    Attempt("takes all memory at once", "return len('a' * 10**10)", ""),
    Attempt("takes all memory bit by bit", "kept = []\nwhile True:\n    kept.append(bytearray(2**20))", ""),
    Attempt("takes memory past Python", "import mmap\nreturn len(mmap.mmap(-1, 2**30))", ""),
    Attempt("prints a gigabyte", "for _ in range(10**6):\n    print('x' * 1000)", "limit"),
    Attempt("writes a gigabyte past Python", "import os\nfor _ in range(10**6):\n    os.write(2, b'x' * 1000)", "limit"),
    Attempt("gives back more than it may", "return 'x' * 10**6", "limit"),
    Attempt("opens files without end", "import os\nkept = []\nwhile True:\n    kept.append(os.open('/usr', 0))", "Error"),
    Attempt("calls itself without end", "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1)\nreturn f(0)", ""),
    Attempt("ends the interpreter", "import os\nos._exit(0)", "died"),
    Attempt("crashes the interpreter", "import ctypes\nctypes.string_at(0)", "died"),
    Attempt("forges its answer", "import os\nfor it in range(3, 30):\n    try:\n        os.write(it, b'{}')\n    except OSError:\n        pass\nos._exit(0)", "died"),
    Attempt("answers with what is no JSON", "return {1, 2}", "Error"),
    Attempt("raises what cannot be told", "class E(Exception):\n    def __str__(self): raise self\nraise E", "E"),
)  # fmt: skip
TABLE = (*FILES, *PROC, *NETWORK, *PROCESSES, *KERNEL, *BOUNDS_OF)


# In WebAssembly there is no such thing to ask for, where the kernel would have refused it or a bound ended it.
NOT_THERE = frozenset({"kills its group", "starts threads without end", "crashes the interpreter"})
# And it has one folder of the host's, to read.
ZONES = "/usr/share/zoneinfo"
OF_WASM = (
    Attempt("walks out of the time zones", f"return open('{ZONES}/../../../etc/hostname').read()", "Error"),
    Attempt("links out of the time zones", f"import os\nos.symlink('/etc/hostname', '{ZONES}/way')\nreturn open('{ZONES}/way').read()", "Error"),
    Attempt("writes among the time zones", f"open('{ZONES}/way', 'w').write('x')", "Error"),
    Attempt("writes over a time zone", f"open('{ZONES}/UTC', 'a').write('x')", "Error"),
    Attempt("takes a time zone away", f"import os\nos.unlink('{ZONES}/UTC')", "Error"),
)  # fmt: skip


@dataclass(frozen=True)
class Host:
    """What of the host an attempt is told about, and what must be as it was."""

    given: dict[str, Json]
    server: socket.socket
    victim: "subprocess.Popen[bytes]"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Host]:
    """A secret, a listening server, a socket file and a process."""
    monkeypatch.setenv("PERDURE_SECRET", SECRET)
    (tmp_path / "secret").write_text(SECRET)
    with socket.socket() as server, socket.socket(socket.AF_UNIX) as local:
        server.bind(("127.0.0.1", 0))
        server.listen()
        server.setblocking(False)
        local.bind(str(tmp_path / "local"))
        local.listen()
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as victim:
            given = {
                "secret": str(tmp_path / "secret"), "socket": str(tmp_path / "local"),
                "port": server.getsockname()[1], "victim": victim.pid,
            }  # fmt: skip
            yield Host(given, server, victim)
            victim.kill()


CASES = [(it, "landlock") for it in TABLE] + [(it, "wasm") for it in (*TABLE, *OF_WASM)]


def ends_of(attempt: Attempt, way: str) -> str:
    """A word of how an attempt ends."""
    if way == "wasm" and (attempt.ends in ("errno", "error") or attempt.name in NOT_THERE):
        return "Error"
    return {"limit": "limit_reached", "died": "code_died"}.get(attempt.ends, attempt.ends)


@pytest.mark.parametrize(("attempt", "way"), CASES, ids=[f"{it.name}-{way}" for it, way in CASES])
def test_the_attempt_is_contained(attempt: Attempt, way: str, host: Host) -> None:
    ran = run(attempt.body, host.given, replace(BOUNDS, cpu_s=1), way)
    told = ran.error if isinstance(ran, Answer) else f"{ran.code}: {ran.detail}"
    assert told is not None, f"it came to something: {ran}"
    assert ends_of(attempt, way) in told and "sandbox_unavailable" not in told
    assert SECRET not in repr(ran)
    with pytest.raises(BlockingIOError):
        host.server.accept()
    assert host.victim.poll() is None
    assert not Path("/usr/lib/way").exists() and not Path("/tmp/note").exists()


def test_the_table_is_long_enough() -> None:
    assert len(TABLE) >= 30 and len({it.name for it in TABLE}) == len(TABLE)


def test_webassembly_has_no_environment_no_folder_and_no_number_of_a_process(host: Host) -> None:
    body = "import os\nreturn [dict(os.environ), os.getcwd(), os.getpid(), os.path.exists('/tmp')]"
    ran = run(body, way="wasm")
    assert isinstance(ran, Answer) and ran.output == [{}, "/", 42, False]


def test_the_environment_is_empty_and_the_folder_holds_nothing_of_the_host(host: Host) -> None:
    ran = run("import os\nreturn [dict(os.environ), os.getcwd(), sorted(os.listdir('/'))]")
    assert isinstance(ran, Answer)
    environment, folder, names = ran.output
    assert SECRET not in repr(environment) and set(environment) <= {"PATH", "HOME", "LC_CTYPE"}
    assert folder == "/"
    assert not {"etc", "home", "tmp", "proc", "dev", "var"} & set(names)


def test_the_address_of_a_process_leads_nowhere_after_its_end() -> None:
    ran = run("import os\nreturn os.getpid()")
    assert isinstance(ran, Answer)
    with pytest.raises(ProcessLookupError):
        os.kill(ran.output, 0)


def test_a_bound_that_ends_code_is_named() -> None:
    ran = run("return 'x' * 10**6")
    assert isinstance(ran, Refusal)
    assert str(BOUNDS.output_bytes) in ran.detail
