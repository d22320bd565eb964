"""Hold a trial at the program that this process imports; ends with 3 where it finds something.

`python -m tests.isolation ROUTES FOLDER` asks by the routes with `ROUTES` in them.
"""

import sys
from pathlib import Path

import anyio
import pytest

import perdure
from perdure.app.selftest.report import Finding
from perdure.app.selftest.trial import a_trial
from perdure.errors import GatewayError
from tests.isolation.gateway import a_gateway_of_many, hasten, stop
from tests.isolation.statements import Statements

FOUND = 3


async def main(only: str, folder: Path) -> int:
    """Hold the trial; how the process ends. A program that no trial can be held at is found out too."""
    print("of", Path(perdure.__file__).parent)
    with pytest.MonkeyPatch.context() as patch:
        hasten(patch)
        work = Statements(patch)
        async with a_gateway_of_many(folder) as (app, url):
            try:
                async with a_trial(
                    url, app.first_token, work=work, only=only, cleans=False
                ) as trial:
                    await trial.live()
                    stop(app)
                    await trial.probe()
                    await trial.look_back()
                findings = trial.report.findings
            except* GatewayError as errors:
                findings = [Finding(only, "the trial", f"cannot go on: {errors.exceptions}")]
    for finding in findings:
        print(*finding, sep=" · ")
    return FOUND if findings else 0


if __name__ == "__main__":
    sys.exit(anyio.run(main, sys.argv[1], Path(sys.argv[2])))
