"""What is known of providers by name: how they are called, and whether they have one address for all."""

from typing import Final, NamedTuple

EMBEDDED: Final = "embedded"


class Known(NamedTuple):
    """A provider that people name. Only what has one address for everyone has it here."""

    label: str
    description: str
    base_url: str | None = None
    local: bool = False


KNOWN: Final[dict[str, Known]] = {
    "openai": Known("OpenAI", "OpenAI's own models", "https://api.openai.com/v1"),
    "openrouter": Known("OpenRouter", "many providers behind one key", "https://openrouter.ai/api/v1"),
    "ollama": Known("Ollama", "a model server for one machine", local=True),
    "lmstudio": Known("LM Studio", "a desktop program that serves models", local=True),
    "vllm": Known("vLLM", "a model server for GPUs", local=True),
    "llamacpp": Known("llama.cpp", "a model server for CPUs and GPUs", local=True),
}  # fmt: skip


def known(name: str) -> Known:
    """What is known of the provider `name`; any other name is an OpenAI-compatible endpoint."""
    return KNOWN.get(name) or Known(name, "an OpenAI-compatible endpoint")
