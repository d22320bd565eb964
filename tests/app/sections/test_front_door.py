"""What is believed of a request before anybody is known, as it is set."""

import pytest

from perdure.app.settings import read_settings


@pytest.mark.parametrize(
    ("value", "count"), [("1", 1), ("true", 1), ("2", 2), ("0", 0), ("off", 0)]
)
def test_forwarded_headers_are_believed_of_as_many_proxies_as_are_named(
    value: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read_settings().trusted_proxies == 0
    monkeypatch.setenv("ABSTRACTGATEWAY_TRUST_PROXY", value)
    monkeypatch.setenv("PERDURE_TRUSTED_PROXY_ADDRESSES", "10.0.0.0/8, ::1")
    settings = read_settings()
    assert settings.trusted_proxies == count
    assert settings.trusted_proxy_addresses == ("10.0.0.0/8", "::1")


def test_origins_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERDURE_ALLOWED_ORIGINS", "https://a.example, https://b.example,")
    assert read_settings().allowed_origins == ("https://a.example", "https://b.example")
