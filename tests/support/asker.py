"""A client of a gateway in another process, for tests that stand still while they ask."""

import json
from collections.abc import Iterator
from typing import Any, Self

import httpx2


class Asker:
    """Asks a gateway, once for each thing."""

    def __init__(self, url: str, token: str) -> None:
        bearer = {"authorization": f"Bearer {token}"}
        self._http = httpx2.Client(
            base_url=f"{url}/api/gateway", headers=bearer, timeout=60, trust_env=False
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        """Read something that is there."""
        answer = self._http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any) -> Any:
        """Send a body."""
        answer = self._http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def start(self, bundle_id: str, **inputs: Any) -> str:
        """Start a run of a bundle; its id."""
        body = {"bundle_id": bundle_id, "input_data": inputs}
        return str(self.post("/runs/start", body)["run_id"])

    def answer(self, run_id: str, text: str) -> None:
        """Answer what a run asks a person."""
        payload = {"wait_key": self.wait_of(run_id)["wait_key"], "payload": {"response": text}}
        body = {
            "command_id": f"answer-{run_id}",
            "run_id": run_id,
            "type": "resume",
            "payload": payload,
        }
        self.post("/commands", body)

    def wait_of(self, run_id: str) -> Any:
        """What a run waits for, as soon as it does."""
        records = (it for it in self._records(run_id) if it["status"] == "waiting")
        return next(records)["result"]["wait"]

    def follow_to_end(self, run_id: str, status: str) -> None:
        """Follow a run to its end, which is to be this."""
        *_, last = self._records(run_id)
        assert last["idempotency_key"] == f"system:terminal_status:{status}"

    def _records(self, run_id: str) -> Iterator[Any]:
        for line in self.lines(run_id):
            if line.startswith('data: {"cursor"'):
                yield json.loads(line.removeprefix("data: "))["record"]

    def lines(self, run_id: str) -> Iterator[str]:
        """The stream of a ledger by its lines. Raises `httpx2.TransportError` where it is cut."""
        with self._http.stream("GET", f"/runs/{run_id}/ledger/stream") as answer:
            assert answer.status_code == 200
            yield from answer.iter_lines()
