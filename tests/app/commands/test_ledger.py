"""A ledger is printed, followed to its end, and checked; the first step that is not as written is named."""

import json

from tests.app.conftest import Perdure
from tests.support.scripted_gateway import (
    ScriptedGateway,
    delta,
    done,
    problem,
    record,
    step,
    summary,
)

PAGE = "/runs/r1/ledger"


def page(*records: dict[str, object], after: int = 0) -> tuple[int, object]:
    return 200, {"items": list(records), "next_after": after + len(records)}


def test_every_page_is_printed_a_line_for_a_step(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.on("GET", PAGE, page(record(), record()), page(record(), after=2), page(after=3))
    out = perdure("ledger", "r1").out
    assert [line.split()[0] for line in out.splitlines()] == ["1", "2", "3"]
    asked = [it.path.partition("?")[2] for it in gateway.asked("GET", PAGE)]
    assert asked == ["after=0&limit=500", "after=2&limit=500", "after=3&limit=500"]


def test_the_first_steps_can_be_left_out(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", PAGE, page(record(), after=7), page(after=8))
    assert perdure("ledger", "r1", "--after", "7").out.split()[0] == "8"


def test_for_a_program_each_line_is_a_document(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", PAGE, page(record(), record()), page(after=2))
    lines = [json.loads(line) for line in perdure("ledger", "r1", "--json").out.splitlines()]
    assert lines == [{"cursor": 1, "record": record()}, {"cursor": 2, "record": record()}]


def test_what_stands_beside_a_step_is_shown_on_demand(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    full = record(detail={"writes": {"var/x": 1}, "class": "read"})
    gateway.on("GET", PAGE, page(full), page(after=1))
    out = perdure("ledger", "r1", "--full").out
    assert 'writes: {"var/x": 1}' in out
    assert 'class: "read"' in out
    assert "detail=full" in gateway.asked("GET", PAGE)[0].path


def test_a_followed_ledger_goes_on_where_the_pages_end(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    gateway.on("GET", PAGE, page(record()), page(after=1))
    gateway.ledger("r1", [delta(0, "Paris."), step(2, record()), done(2)])
    lines = perdure("ledger", "r1", "--follow").out.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "│", "2"]
    assert "after=1" in gateway.asked("GET", f"{PAGE}/stream")[0].path


def test_following_with_everything_reads_each_step_whole(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    full = record(detail={"class": "read"})
    gateway.on("GET", PAGE, page(), page(full))
    gateway.ledger("r1", [step(1, record()), done(1)])
    out = perdure("ledger", "r1", "--follow", "--full", "--json").out
    assert json.loads(out) == {"cursor": 1, "record": full}
    assert "deltas" not in gateway.asked("GET", f"{PAGE}/stream")[0].path


def test_an_unknown_run_has_no_ledger(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", PAGE, problem(404, "run_not_found", "There is no such run."))
    assert perdure("ledger", "r1").code == 1


def verdict(run_id: str, bad_seq: int | None = None) -> tuple[int, object]:
    why = "the hash is another" if bad_seq else None
    return 200, {"ok": bad_seq is None, "run_id": run_id, "records": 4, "bad_seq": bad_seq, "why": why}  # fmt: skip


def test_a_ledger_as_written_is_told_so(perdure: Perdure, gateway: ScriptedGateway) -> None:
    gateway.on("GET", "/runs/r1/verify", verdict("r1"))
    ran = perdure("verify", "r1")
    assert (ran.code, ran.out) == (0, "1 ledger is as written, 4 steps.\n")


def test_the_first_bad_step_is_named_and_ends_it_with_1(
    perdure: Perdure, gateway: ScriptedGateway
) -> None:
    rows = {"items": [summary("r1"), summary("r2")], "next_cursor": None}
    gateway.on("GET", "/runs", (200, rows))
    gateway.on("GET", "/runs/r1/verify", verdict("r1"))
    gateway.on("GET", "/runs/r2/verify", verdict("r2", 3))
    ran = perdure("verify", "--all")
    assert ran.code == 1
    assert [line.split()[:2] for line in ran.out.splitlines()[1:]] == [["r2", "3"]]
    as_json = perdure("verify", "r2", "--json")
    assert as_json.code == 1
    assert json.loads(as_json.out)["bad_seq"] == 3
    assert "include_drafts=true" in gateway.asked("GET", "/runs")[0].path


def test_what_to_check_has_to_be_said(perdure: Perdure, gateway: ScriptedGateway) -> None:
    assert perdure("verify").code == 2
    assert perdure("verify", "r1", "--all").code == 2
