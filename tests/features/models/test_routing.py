"""The named model answers, else the default, else the embedded one; never one that was not meant."""

import pytest

from perdure.features.models.routing import Target, routed
from perdure.features.models.settings import ModelsConfig, Provider
from perdure.kernel.model import Failed

OLLAMA, OPENAI = Provider("ollama", "http://o/v1"), Provider("openai", "http://p/v1")
BOTH = {"ollama": OLLAMA, "openai": OPENAI}
ROUTED = ModelsConfig(BOTH, {"output.text": "ollama/qwen"})
UNROUTED = ModelsConfig(BOTH)


@pytest.mark.parametrize(
    ("provider", "model", "config", "target"),
    [
        ("", "", ROUTED, Target("ollama", "qwen", OLLAMA)),
        ("", "llama", ROUTED, Target("ollama", "llama", OLLAMA)),
        ("Ollama", "", ROUTED, Target("ollama", "qwen", OLLAMA)),
        ("OpenAI", "gpt", ROUTED, Target("openai", "gpt", OPENAI)),
        ("openai", "gpt", UNROUTED, Target("openai", "gpt", OPENAI)),
        ("", "", UNROUTED, Target("embedded", "toy", None, unasked=True)),
        ("embedded", "", ROUTED, Target("embedded", "toy", None)),
        ("embedded", "toy", ROUTED, Target("embedded", "toy", None)),
    ],
)
def test_who_answers(provider: str, model: str, config: ModelsConfig, target: Target) -> None:
    assert routed(provider, model, config, embedded_model="toy") == target


@pytest.mark.parametrize(
    ("provider", "model", "config", "code", "says"),
    [
        ("lmstudio", "m", ROUTED, "provider_not_configured", "PERDURE_PROVIDER_LMSTUDIO_BASE_URL"),
        ("endpoint:office", "m", ROUTED, "provider_not_configured", "endpoint:office"),
        ("openai", "", ROUTED, "model_not_configured", "PERDURE_MODEL=openai/"),
        ("", "gpt", UNROUTED, "provider_not_configured", "gpt"),
        ("embedded", "other", ROUTED, "model_not_found", "toy"),
        ("", "", ModelsConfig({}, {"output.text": "gone/m"}), "provider_not_configured", "PERDURE_PROVIDER_GONE_BASE_URL"),
    ],
)  # fmt: skip
def test_who_cannot_answer_is_said_and_nobody_stands_in(
    provider: str, model: str, config: ModelsConfig, code: str, says: str
) -> None:
    failed = routed(provider, model, config, embedded_model="toy")
    assert isinstance(failed, Failed)
    assert (failed.code, failed.retryable) == (code, False)
    assert says in failed.detail


def test_without_an_embedded_model_the_settings_are_named() -> None:
    failed = routed("", "", UNROUTED, embedded_model=None)
    assert isinstance(failed, Failed)
    assert failed.code == "provider_not_configured"
    assert "PERDURE_PROVIDER_<NAME>_BASE_URL" in failed.detail
    assert "PERDURE_MODEL" in failed.detail
