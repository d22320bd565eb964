"""A provider that nobody has heard of is an endpoint like any other."""

from perdure.features.models.providers import KNOWN, known


def test_only_services_with_one_address_for_all_have_it_here() -> None:
    assert {name for name, it in KNOWN.items() if it.base_url} == {"openai", "openrouter"}
    assert not any(it.base_url and it.local for it in KNOWN.values())


def test_an_unknown_name_is_its_own_label() -> None:
    about = known("acme")
    assert (about.label, about.base_url, about.local) == ("acme", None, False)
