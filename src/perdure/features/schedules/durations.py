"""Lengths of time as people write them: `20m`, `1.5h`, `2h30m`, or ISO 8601 such as `PT20M`."""

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Final

from perdure.errors import Unfit

_UNITS: Final[Mapping[str, int]] = {  # in microseconds
    "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000,
}  # fmt: skip
_PART: Final = r"(\d{1,12}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)"
_PARTS: Final = re.compile(rf"(?:{_PART}\s*)+")
_ISO: Final = re.compile(
    r"P(?!$)(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?!$)(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12}(?:\.\d{1,6})?)S)?)?"
)
_ISO_UNITS: Final = (7 * _UNITS["d"], _UNITS["d"], _UNITS["h"], _UNITS["m"], _UNITS["s"])
LONGEST: Final = timedelta(days=36_600)
KNOWN_MAX: Final = 1_024  # texts that were read and are not read again


@lru_cache(KNOWN_MAX)
def duration_of(text: str, name: str) -> timedelta:
    """Read a length of time. Raises `Unfit`, which names the field, where the text is none."""
    written = text.strip()
    if iso := _ISO.fullmatch(written.upper()):
        pairs = [(part or "0", unit) for part, unit in zip(iso.groups(), _ISO_UNITS, strict=True)]
    elif _PARTS.fullmatch(written.lower()):
        pairs = [(part, _UNITS[unit]) for part, unit in re.findall(_PART, written.lower())]
    else:
        raise Unfit(f"{name} is a length of time such as `20m`, `1.5h` or `PT20M`.", field=name)
    micros = round(sum(float(part) * unit for part, unit in pairs))
    if micros > LONGEST // timedelta(microseconds=1):
        raise Unfit(f"{name} is longer than {LONGEST.days} days.", field=name)
    return timedelta(microseconds=micros)
