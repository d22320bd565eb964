"""A request becomes chat messages as it was said; what does not fit goes from the old end."""

from perdure.features.models.messages import fitted, messages_of, text_of
from perdure.kernel.values import Json


def test_the_system_prompt_comes_first_and_the_prompt_last() -> None:
    payload = {
        "system_prompt": "s",
        "prompt": "p",
        "messages": [{"role": "user", "content": "m"}, 7],
    }
    assert messages_of(payload) == [
        {"role": "system", "content": "s"}, {"role": "user", "content": "m"}, {"role": "user", "content": "p"},
    ]  # fmt: skip


def test_nothing_is_added_to_what_was_said() -> None:
    assert messages_of({"prompt": "", "messages": [{"content": None}]}) == [
        {"role": "user", "content": ""}
    ]


def test_calls_and_their_results_take_the_form_of_the_protocol() -> None:
    messages = [
        {"role": "assistant", "content": None, "tool_calls": [{"name": "a", "arguments": {"x": 1}, "call_id": "c"}]},
        {"role": "tool", "content": {"found": "é"}, "tool_call_id": "c", "name": "a", "extra": 1},
    ]  # fmt: skip
    function = {"name": "a", "arguments": '{"x": 1}'}
    assert messages_of({"messages": messages}) == [
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "function", "function": function}]},
        {"role": "tool", "content": '{"found": "é"}', "tool_call_id": "c", "name": "a"},
    ]  # fmt: skip


def test_parts_stay_parts_and_calls_in_the_protocol_s_form_stay_so() -> None:
    parts = [{"type": "text", "text": "x"}]
    call = {"id": "c", "type": "function", "function": {"name": "a", "arguments": "{}"}}
    message = {"role": "assistant", "content": parts, "tool_calls": [call]}
    assert messages_of({"messages": [message]}) == [message]


def test_text_is_text() -> None:
    assert (text_of("a"), text_of(["é"])) == ("a", '["é"]')


def a_talk(count: int) -> list[dict[str, Json]]:
    system = {"role": "system", "content": "s"}
    return [system, *({"role": "user", "content": "x" * 360} for _ in range(count))]


def test_without_a_budget_everything_stays() -> None:
    assert fitted(a_talk(50), None) == (a_talk(50), 0, True)
    assert fitted(a_talk(50), 0).left_out == 0


def test_the_oldest_go_and_the_system_and_the_last_stay() -> None:
    fit = fitted(a_talk(10), 320)
    assert (fit.left_out, fit.fits) == (7, True)
    assert fit.messages == [a_talk(0)[0], *a_talk(10)[-3:]]


def test_what_cannot_be_made_to_fit_is_said() -> None:
    fit = fitted(a_talk(3), 10)
    assert (len(fit.messages), fit.fits) == (2, False)


def test_a_result_goes_with_its_call() -> None:
    talk = [
        {"role": "assistant", "content": "x" * 400}, {"role": "tool", "content": "x" * 40},
        {"role": "tool", "content": "y" * 40}, {"role": "user", "content": "z"},
    ]  # fmt: skip
    assert fitted(talk, 100).messages == [{"role": "user", "content": "z"}]
