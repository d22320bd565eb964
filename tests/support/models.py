"""What a test needs to ask a model: a context for the effect, a configuration, and the embedded model's file."""

import os
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, cast

from perdure.adapters.egress import Egress
from perdure.clock import Clock, SystemClock
from perdure.features.models.effects import Embedded, llm_call_kind
from perdure.features.models.embedded.install import install
from perdure.features.models.settings import ModelsConfig, Provider
from perdure.ids import Key, StepId
from perdure.kernel.model import Effect, Ok, Outcome
from perdure.kernel.values import Json
from perdure.registry.effects import Delta, EffectContext, Http
from perdure.stores.plane import Plane
from tests.support.builders import a_birth
from tests.support.egress import an_egress
from tests.support.openai_server import MODEL, OpenAiServer

CHECKOUT = Path(__file__).parents[2]


def config_for(server: OpenAiServer, *, api_key: str = "", default: bool = True) -> ModelsConfig:
    """The provider `scripted` at the server, as the default unless told otherwise."""
    providers = {"scripted": Provider("scripted", server.base_url, api_key)}
    return ModelsConfig(providers, {"output.text": f"scripted/{MODEL}"} if default else {})


def a_question(**payload: Json) -> Effect:
    """The effect `llm_call` with `prompt` and whatever else is said."""
    return Effect("llm_call", {"prompt": "hello", **payload}, "ask", "node", timeout_s=20.0)


class Asker:
    """Asks as the runner would, and keeps what was published."""

    def __init__(self, egress: Egress, clock: Clock) -> None:
        """Call out through `egress`."""
        self.http: Http = egress.bound()
        self.own = egress.own
        self.clock = clock
        self.deltas: list[Delta] = []

    def context(self) -> EffectContext:
        """What the handler is given."""
        return EffectContext(
            run=a_birth(), step_id=StepId("step-1"), key=Key("run:1:0"), attempt=1, clock=self.clock, http=self.http,
            plane=cast(Plane, None), publish=self.deltas.append,
        )  # fmt: skip

    async def ask(
        self, config: ModelsConfig, embedded: Embedded | None = None, **payload: Json
    ) -> Outcome:
        """Perform one `llm_call`."""
        kind = llm_call_kind(config, embedded)
        return await kind.handle(a_question(**payload), self.context())

    async def result(
        self, config: ModelsConfig, embedded: Embedded | None = None, **payload: Json
    ) -> dict[str, Any]:
        """Perform one that goes well."""
        outcome = await self.ask(config, embedded, **payload)
        assert isinstance(outcome, Ok), outcome
        result: dict[str, Any] = outcome.result
        return result

    def text(self, kind: str = "text") -> str:
        """What was published, put together by its offsets."""
        text = ""
        for delta in self.deltas:
            if delta.kind == kind:
                assert delta.offset == len(text)
                text += delta.text
        return text


@asynccontextmanager
async def an_asker(clock: Clock | None = None) -> AsyncGenerator[Asker]:
    """An asker with a client of its own."""
    egress = an_egress()
    try:
        yield Asker(egress, clock or SystemClock())
    finally:
        await egress.close()


def embedded_file() -> Path:
    """The embedded model's file, fetched at the first use of this checkout (or where PERDURE_TEST_MODELS says)."""
    return install(Path(os.environ.get("PERDURE_TEST_MODELS") or CHECKOUT / ".cache/models"))


@contextmanager
def scripted(*answers: Any, **options: Any) -> Generator[OpenAiServer]:
    """A server that says `answers` in order."""
    with OpenAiServer(answers=answers, **options) as server:
        yield server
