"""A process that handles what nobody trusts has what it is granted, and nothing that it does gives it more."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from perdure.runtimes.children import Limits, bound

MIB = 1024 * 1024
LIMITS = Limits(cpu_s=20, memory_bytes=256 * MIB, files_open=16)


def run(folder: Path, source: str, limits: Limits = LIMITS) -> subprocess.CompletedProcess[str]:
    """Run a script bound by its limits, to its end."""
    script = folder / "script.py"
    script.write_text(source)
    command = [sys.executable, "-I", *bound(script, limits)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


def test_it_is_the_script(tmp_path: Path) -> None:
    ran = run(tmp_path, "import sys\nprint(__name__, __file__)\nsys.exit(7)")
    assert (ran.stdout, ran.returncode) == (f"__main__ {tmp_path}/script.py\n", 7)


def test_memory_is_granted_up_to_the_bound(tmp_path: Path) -> None:
    assert run(tmp_path, f"print(len(bytearray({128 * MIB})))").stdout == f"{128 * MIB}\n"
    beyond = run(tmp_path, f"bytearray({256 * MIB})")
    assert beyond.returncode == 1 and "MemoryError" in beyond.stderr


def test_time_of_a_processor_ends_with_a_signal_of_its_own(tmp_path: Path) -> None:
    assert run(tmp_path, "while True: pass", LIMITS._replace(cpu_s=1)).returncode == -signal.SIGXCPU
    caught = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"
    assert run(tmp_path, caught, LIMITS._replace(cpu_s=1)).returncode == -signal.SIGKILL


def test_it_writes_no_file_and_opens_so_many(tmp_path: Path) -> None:
    source = """
        import signal
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            with open("made", "w") as made: made.write("x")
        except OSError as error: print(error.strerror)
        files = []
        try:
            while True: files.append(open("/dev/null"))
        except OSError: print(len(files) < 16)
    """
    ran = run(tmp_path, "if True:" + source)
    assert ran.stdout == "File too large\nTrue\n" and (tmp_path / "made").read_bytes() == b""


@pytest.mark.parametrize("what", ["RLIMIT_AS", "RLIMIT_NOFILE", "RLIMIT_FSIZE", "RLIMIT_CORE"])
def test_it_cannot_grant_itself_more(tmp_path: Path, what: str) -> None:
    source = f"import json, resource\nprint(json.dumps(resource.getrlimit(resource.{what})))"
    soft, hard = json.loads(run(tmp_path, source).stdout)
    assert soft == hard != -1


def test_it_leaves_no_compiled_code_behind(tmp_path: Path) -> None:
    (tmp_path / "other.py").write_text("said = 7")
    ran = run(tmp_path, "import sys\nsys.path.insert(0, '.')\nimport other\nprint(other.said)")
    assert ran.stdout == "7\n" and not (tmp_path / "__pycache__").exists()


def test_it_dies_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import time\nprint(1, flush=True)\ntime.sleep(20)\nprint('lived', flush=True)"
    )
    command = [sys.executable, "-I", *bound(script, LIMITS)]
    starts = f"import subprocess\nsubprocess.Popen({command!r}).wait()"
    with subprocess.Popen([sys.executable, "-c", starts], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None and parent.stdout.readline() == b"1\n"
        parent.kill()
        assert parent.stdout.read() == b"", "its end of the pipe is closed, and it said no more"


def test_it_goes_behind_the_programs_own_work(tmp_path: Path) -> None:
    assert (
        run(
            tmp_path, "import os\nprint(os.nice(0), os.sched_getscheduler(0) == os.SCHED_IDLE)"
        ).stdout
        == "19 True\n"
    )
