"""The figures as a Markdown page."""

from collections.abc import Iterable, Mapping, Sequence

from tests.bench.figures import Figure
from tests.bench.targets import verdicts

HEAD = """# Benchmarks

Made by `{command}`. The machine is shared and its speed varies: read the **ratios**, which are taken
within one run, and not the bare values. Where a figure was taken in several rounds the contestants
took turns in each; the value is the median, and the ratio is the median of the ratios of the rounds.

A *step* is one effect whose intent and outcome are both on disk, with all that belongs to them. A *bare
loop* is an asyncio program with a writer thread and group commit that writes the same rows as the
product (two chained records, one outbox row in and one out, the run's header with its version
checked) and does nothing else. It stands for what the disk, the database and Python allow.

How the product is measured: in process, its runner and store perform `echo` effects, as many runs at
once as the line says; over HTTP, `perdure serve` runs a flow of `answer_user` effects, each client
starts a run, reads its ledger as a stream to the end and starts the next. Every contestant is a
process of its own, on fresh data, and waits for the disk at each commit. Restate keeps its own log
and calls a Python service. Sleeping runs wait for a time; late is when the next record is on disk.
From commit to client is from the writer's own clock after the commit to the bytes at a socket in
another process of this machine.

Who comes in is asked of the services in this process, in stores of few and of many users, in turns. Runtimes
at rest are users and planes of a `perdure serve` for whom nobody asks; on Postgres each has its schema, on
SQLite its folder, in which the file of most is a link to one. Schedules that are due in the same minute are
of one plane, and late is when the birth of a run is on disk. One principal beside another: from the
start of a single run to its first outcome on disk, while another plane of the same process works at its
queue; "at work" is what the process spent of the processor in that time beyond what it spends alone.

"Load before" is the system's load average at the beginning: on two processors, more than two means
that others were at work, that the disk was shared with them, and that all bare values are too low.
"""


def number(value: float) -> str:
    """A value with as many digits as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def cell_of(value: float | None, unit: str, spread: tuple[float, float] | None) -> str:
    """The value with its unit, and its lowest and highest where it was taken more than once."""
    if value is None:
        return "not measured"
    text = f"{number(value)} {unit}".strip()
    return f"{text} ({number(spread[0])}–{number(spread[1])})" if spread else text


def row_of(figure: Figure) -> str:
    """One line of a table."""
    ratio = "" if figure.ratio is None else f"**{number(figure.ratio)} ×**"
    value = cell_of(figure.value, figure.unit, figure.spread)
    cells = (figure.name, value, figure.beside, ratio, figure.note)
    return "| " + " | ".join(it.replace("|", "\\|").replace("\n", " ") for it in cells) + " |"


def section_of(title: str, figures: Iterable[Figure]) -> str:
    """A heading and its table."""
    head = "| what | measured | beside | ratio | note |\n|---|---|---|---|---|"
    return "\n".join([f"## {title}", "", head, *map(row_of, figures), ""])


def page(figures: Sequence[Figure], facts: Mapping[str, str], command: str) -> str:
    """The whole page: how it was made, on what, and a table for each section in order."""
    machine = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    names = dict.fromkeys(it.section for it in figures)  # in the order of their first figures
    sections = [section_of(name, [it for it in figures if it.section == name]) for name in names]
    return (
        "\n".join(
            [HEAD.format(command=command), machine, "", verdicts(figures), *sections]
        ).rstrip()
        + "\n"
    )
