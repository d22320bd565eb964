"""Settings say where providers answer, under names that everyone writes differently."""

import pytest

from perdure.errors import Invalid
from perdure.features.models.settings import Provider, name_of, read_config, setting_of


def test_addresses_keys_and_the_default_are_read() -> None:
    config = read_config(
        {
            "PERDURE_PROVIDER_LM_STUDIO_BASE_URL": "http://localhost:1234/v1/",
            "PERDURE_PROVIDER_LM_STUDIO_API_KEY": "k",
            "PERDURE_PROVIDER_OLLAMA_BASE_URL": " http://localhost:11434 ",
            "PERDURE_PROVIDER_VLLM_BASE_URL": "",
            "PERDURE_MODEL": "Ollama/qwen3/8b",
            "PERDURE_DATA": "x",
        }
    )
    assert config.providers == {
        "lm-studio": Provider("lm-studio", "http://localhost:1234/v1", "k"),
        "ollama": Provider("ollama", "http://localhost:11434/v1"),
    }
    assert config.routes == {"output.text": "ollama/qwen3/8b"}


def test_a_key_alone_is_enough_where_there_is_one_address_for_all() -> None:
    config = read_config(
        {"PERDURE_PROVIDER_OPENAI_API_KEY": "a", "PERDURE_PROVIDER_VLLM_API_KEY": "b"}
    )
    assert {name: it.base_url for name, it in config.providers.items()} == {
        "openai": "https://api.openai.com/v1"
    }


def test_nothing_set_is_nothing_configured() -> None:
    config = read_config({})
    assert (dict(config.providers), dict(config.routes)) == ({}, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [("PERDURE_PROVIDER_X_BASE_URL", "localhost:1"), ("PERDURE_PROVIDER_X_BASE_URL", "ftp://a"),
     ("PERDURE_PROVIDER_X_BASE_URL", "http://"), ("PERDURE_PROVIDER_X_BASE_URL", "http://me:pass@host"),
     ("PERDURE_MODEL", "gpt"), ("PERDURE_MODEL", "/gpt"), ("PERDURE_MODEL", "openai/")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(Invalid, match=name):
        read_config({name: value})


def test_a_key_is_never_shown() -> None:
    assert "s3cret" not in repr(read_config({"PERDURE_PROVIDER_OPENAI_API_KEY": "s3cret"}))


@pytest.mark.parametrize("text", ["LM_Studio", "lm studio", "lm-studio", " LM--STUDIO "])
def test_one_provider_has_one_name(text: str) -> None:
    assert name_of(text) == "lm-studio"
    assert setting_of(text, "API_KEY") == "PERDURE_PROVIDER_LM_STUDIO_API_KEY"
