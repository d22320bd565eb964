"""The facts of the machine, without which no figure can be read."""

import os
import platform
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

from pysqlite3 import dbapi2


def processor() -> str:
    """The processor's name as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def memory() -> str:
    """How much memory there is."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return f"{pages * size / 2**30:.0f} GiB"


def load() -> str:
    """How busy the machine was before: others at work make every rate smaller."""
    return " ".join(f"{it:.2f}" for it in os.getloadavg())


def facts() -> dict[str, str]:
    """What the head of the table says."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": f"{os.cpu_count()} × {processor()}",
        "memory": memory(),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": f"{sqlite3.sqlite_version} (sqlite3), {dbapi2.sqlite_version} (pysqlite3)",
        "load before": load(),
    }
