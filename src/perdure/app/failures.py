"""How the command line ends when something goes wrong: an exit code, and words that say what to do next."""

import shutil
import sys
from pathlib import Path
from typing import Final

from perdure.errors import Forbidden, GatewayError, Invalid, Unauthenticated, Unreachable

OK: Final = 0
FAILED: Final = 1
USAGE: Final = 2
WAITS: Final = 3
UNREACHABLE: Final = 4
REFUSED: Final = 5
INTERRUPTED: Final = 130  # as every program that Ctrl-C ends

EXIT_CODES: Final = {
    OK: "it went well",
    FAILED: "it did not: a run failed, a request was turned down, a check found something",
    USAGE: "the command or a setting cannot be meant as it stands",
    WAITS: "the run waits for a person",
    UNREACHABLE: "no gateway answers",
    REFUSED: "the gateway refuses the token, or what it is asked with it (401, 403)",
    INTERRUPTED: "Ctrl-C",
}


def program() -> str:
    """How this program is called from here: its name where the shell finds it, else its path."""
    called = Path(sys.argv[0])
    found = shutil.which(called.name)
    if found and Path(found).resolve() == called.resolve():
        return called.name
    try:
        return str(called.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(called)


def exit_code(error: GatewayError) -> int:
    """What the shell is told. A setting or an option that is wrong here is usage, not a failure."""
    match error:
        case Unreachable():
            return UNREACHABLE
        case Unauthenticated() | Forbidden():
            return REFUSED
        case Invalid() if "status" not in error.facts:
            return USAGE
        case _:
            return FAILED


def lines_of(error: GatewayError, me: str) -> list[str]:
    """The error as a newcomer reads it: what happened, and the line that helps. `me` is the program's name."""
    lines = [error.detail]
    faults = error.facts.get("errors")
    for fault in faults if isinstance(faults, list) else []:
        where = ".".join(str(part) for part in fault.get("loc", [])[1:])
        lines.append(f"  {where}: {fault.get('msg')}")
    match error:
        case Unreachable():
            lines.append(f"Start one with `{me} serve`, or name another with --url or PERDURE_URL.")
        case Unauthenticated():
            lines.append(
                "Give the gateway's token with --token or PERDURE_TOKEN. The gateway keeps it in the "
                f"file `token` of its data directory; `{me} settings` says where that is."
            )
        case Forbidden() if role := error.facts.get("required_role"):
            lines.append(f"It needs the role {role}.")
        case _ if error.code == "bundle_not_found":
            lines.append(f"`{me} bundles list` shows what there is.")
        case _ if error.code == "run_not_found":
            lines.append(f"`{me} runs` shows what there is.")
    if isinstance(instance := error.facts.get("instance"), str) and error.facts["status"] == 500:
        lines.append(f"The gateway's log has it under {instance}.")
    return lines
