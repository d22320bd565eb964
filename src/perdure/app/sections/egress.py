"""Where users' calls may go beside the public network."""

from pydantic import BaseModel

from perdure.app.sections.setting import Listed, setting


class EgressSettings(BaseModel):
    """The exceptions from "only public addresses"."""

    egress_allow: Listed[str] = setting(
        (),
        "hosts, addresses and networks beside the public ones that users' calls may reach, each"
        " perhaps with a port, separated by commas",
        shown="none",
    )
    egress_loopback_ports: Listed[int] = setting(
        (),
        "ports of this machine that users' calls may reach, such as a model server's 11434,"
        " separated by commas",
        shown="none",
    )
