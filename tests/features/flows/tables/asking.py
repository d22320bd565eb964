"""People."""

from tests.support.tables import DUE, passing, row, told

TABLES = {
    "ask_user": [
        passing("ask_user", "prompt", "choices", "timeout_s", out="response timed_out").rows(
            told(row({"prompt": "Well?"}, response="yes", timed_out=False), acts=(("it", {"response": "yes"}),)),
            told(row({"prompt": "Well?", "timeout_s": 0.05}, response=None, timed_out=True), acts=(("it", DUE),)),
        )
    ],
    "answer_user": [
        passing("answer_user", "message", "level", out="message level").rows(
            row({"message": "done", "level": "warn"}, message="done", level="warning")
        )
    ],
}  # fmt: skip
