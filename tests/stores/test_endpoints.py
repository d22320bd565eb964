"""The names of endpoint profiles, and the refusal where there are none."""

import pytest

from perdure.stores.endpoints import NOWHERE, Endpoint, EndpointRefused, Use, endpoint_in

pytestmark = pytest.mark.anyio


def test_a_name_stands_for_a_profile_or_for_something_else() -> None:
    assert endpoint_in("endpoint:office") == "office"
    assert endpoint_in("openai") is None and endpoint_in("") is None


def test_an_endpoint_does_not_show_its_key() -> None:
    assert "s3cret" not in repr(
        Endpoint("endpoint:a", "openai", "https://a.example/v1", (), "s3cret")
    )


async def test_where_there_are_no_profiles_none_is_found() -> None:
    with pytest.raises(EndpointRefused) as refused:
        await NOWHERE.open("office", Use("alice", "a test"))
    assert refused.value.code == "endpoint_not_found"
