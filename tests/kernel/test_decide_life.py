"""Whole lives: generated programs, and whatever may happen to them in any order.

Each commit is held to the laws of `tests/support/laws.py`: the same decision for the same
question, nothing changed by deciding, gapless records, status, outbox and waits as open keys
say, cells as records tell them, each delivery good for once, terminal for ever.
"""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from perdure.ids import RunId
from perdure.kernel.decide import decide
from perdure.kernel.model import (
    TERMINAL,
    Advance,
    Answered,
    Arrived,
    Cancel,
    Due,
    EffectClass,
    Event,
    Failed,
    Fault,
    Hold,
    Ok,
    Outcome,
    Release,
    Status,
    Told,
    Unknown,
    Wait,
)
from tests.support.branches import Ask, Atom, Branches, Call, Do, Listen, Race, Sleep, Think
from tests.support.builders import a_deadline
from tests.support.simulation import Simulation

ATOMS: st.SearchStrategy[Atom] = st.one_of(
    st.builds(Do, st.sampled_from(EffectClass)),
    st.builds(Ask, st.sampled_from([None, "shared"])),
    st.builds(Sleep, st.sampled_from([0, 60, 120])),
    st.builds(Race, st.sampled_from([60, 120])),
    st.just(Listen()),
    st.builds(Think, st.integers(1, 3)),
)
USAGE = st.dictionaries(
    st.sampled_from(["llm_calls", "tool_calls", "tokens_in", "tokens_out", "unheard_of"]),
    st.integers(0, 1000),
)
OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.tuples(st.integers(), USAGE).map(lambda parts: Ok(*parts)),
    st.tuples(st.sampled_from(["refused", "timeout"]), USAGE).map(
        lambda parts: Failed(parts[0], usage=parts[1])
    ),
    st.just(Unknown("cut off")),
)
ANSWERS = st.sampled_from(
    [
        {"response": "yes"},
        {"resolution": "happened", "result": 1},
        {"resolution": "did_not_happen", "then": "retry"},
        {"resolution": "did_not_happen", "then": "fail"},
        "no object",
    ]
)


def plans(atoms: st.SearchStrategy[Atom]) -> st.SearchStrategy[Branches]:
    """Programs of a few branches."""
    branch = st.lists(atoms, max_size=4).map(tuple)
    branches = st.lists(branch, min_size=1, max_size=3)
    return st.builds(
        lambda plan, fragile: Branches(*plan, fragile=fragile), branches, st.booleans()
    )


class Lives(RuleBasedStateMachine):
    """A run, its children, and everything that may happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.world = Simulation()

    @initialize(
        program=plans(ATOMS | st.just(Call())), child=plans(ATOMS | st.just(Call("grandchild"))),
        grandchild=plans(ATOMS), begin=st.booleans(), seconds=st.sampled_from([None, 60, 90]),
    )  # fmt: skip
    def be_born(
        self, program: Branches, child: Branches, grandchild: Branches, begin: bool, seconds: int | None
    ) -> None:  # fmt: skip
        self.world.programs = {"child": child, "grandchild": grandchild}
        self.root = self.world.start(program, begin=begin, deadline=a_deadline(seconds))

    def one(self, data: st.DataObject) -> RunId:
        return data.draw(st.sampled_from(sorted(self.world.lives)), label="run")

    @rule(data=st.data(), outcome=OUTCOMES)
    def an_effect_comes_to_an_outcome(self, data: st.DataObject, outcome: Outcome) -> None:
        run_id = self.one(data)
        effects = sorted(self.world.effects(run_id))
        if effects:
            self.world.arrive(run_id, data.draw(st.sampled_from(effects)), outcome)

    @rule(data=st.data(), payload=ANSWERS)
    def somebody_answers(self, data: st.DataObject, payload: Any) -> None:
        run_id = self.one(data)
        waits = sorted(self.world.waits(run_id))
        if not waits:
            return
        key = data.draw(st.sampled_from(waits))
        bound_to = data.draw(st.sampled_from([None, self.world.run(run_id).open[key].seq]))
        self.world.deliver(run_id, Answered(key, payload, "ann", bound_to))

    @rule(data=st.data(), seconds=st.sampled_from([0, 30, 60]))
    def time_passes(self, data: st.DataObject, seconds: float) -> None:
        self.world.clock.advance(seconds)
        run_id = self.one(data)
        for entry in self.world.due(run_id):
            self.world.deliver(run_id, Due(entry.key, entry.seq))

    @rule()
    def deadlines_come(self) -> None:
        self.world.expire()

    @rule(
        data=st.data(), event=st.sampled_from([Hold("lunch"), Release(), Told("psst"), Advance()])
    )
    def somebody_commands(self, data: st.DataObject, event: Event) -> None:
        self.world.deliver(self.one(data), event)

    @precondition(lambda self: len(self.world.lives) > 1)
    @rule(data=st.data(), event=st.sampled_from([Cancel("enough"), Fault("bug", "oh")]))
    def a_child_is_ended(self, data: st.DataObject, event: Event) -> None:
        run_id = self.one(data)
        if run_id != self.root:
            self.world.deliver(run_id, event)

    @rule(data=st.data())
    def something_old_comes_again(self, data: st.DataObject) -> None:
        life = self.world.lives[self.one(data)]
        old = [event for event in life.history if isinstance(event, Arrived | Answered | Due)]
        if old:
            self.world.deliver(life.run.id, data.draw(st.sampled_from(old)))

    @precondition(lambda self: self.world.inbox)
    @rule(times=st.integers(1, 2))
    def a_message_is_handed_over(self, times: int) -> None:
        message = self.world.inbox.pop(0)
        for _ in range(times):
            self.world.hand_over(message)

    @rule()
    def a_runner_begins_what_was_born(self) -> None:
        self.world.begin_children()

    def teardown(self) -> None:
        """Whatever happened, the rest of the story can be told, and the tree comes to an end."""
        if not hasattr(self, "root"):
            return
        finish(self.world)
        assert self.world.status(self.root) in {Status.COMPLETED, Status.FAILED}
        for life in self.world.lives.values():
            assert life.run.status in TERMINAL
            for event in life.history:
                again = decide(life.run, event, life.program, life.cells, self.world.clock.now())
                assert not again.applied


def finish(world: Simulation) -> None:
    """Release what is held, and bring everything that is open to a good end."""
    for _ in range(200):
        world.settle()
        alive = [life for life in world.lives.values() if life.run.status not in TERMINAL]
        if not alive:
            return
        for life in alive:
            world.deliver(life.run.id, Release())
            finish_one(world, life.run.id)
    raise AssertionError("the tree does not come to an end")


def finish_one(world: Simulation, run_id: RunId) -> None:
    """Bring what is open now in one run to a good end."""
    for entry in tuple(world.run(run_id).open.values()):
        if entry.review:
            continue
        what = entry.what
        if not isinstance(what, Wait):
            world.deliver(run_id, Arrived(entry.key, Ok("done")))
        elif what.review_of is not None:
            world.deliver(run_id, Answered(entry.key, {"resolution": "happened"}))
        elif what.until is not None:
            world.clock.set(max(world.clock.now(), what.until))
            world.deliver(run_id, Due(entry.key, entry.seq))
        elif what.child is None:
            world.deliver(run_id, Answered(entry.key, {"response": "done"}))


TestLives = Lives.TestCase


def outcome_of(seed: int, tag: str) -> Outcome:
    """How the effect `tag` ends in the world `seed`: well or badly, and always the same."""
    return Failed("refused") if hash((seed, tag)) % 3 == 0 else Ok({"of": tag, "in": seed})


@given(
    plan=st.lists(st.lists(st.builds(Do), max_size=4).map(tuple), min_size=1, max_size=4),
    seed=st.integers(0, 9),
    data=st.data(),
)
def test_the_end_depends_on_the_outcomes_and_not_on_their_order(
    plan: list[tuple[Do, ...]], seed: int, data: st.DataObject
) -> None:
    ends = []
    for _ in range(2):
        world = Simulation()
        run_id = world.start(Branches(*plan))
        while effects := sorted(world.effects(run_id)):
            tag = data.draw(st.sampled_from(effects))
            world.arrive(run_id, tag, outcome_of(seed, tag))
        ends.append((world.run(run_id).status, world.run(run_id).output, world.cells(run_id)))
    assert ends[0] == ends[1]
