"""Code: what the sandbox does is tested where it is; without one the run says so."""

from perdure.kernel.model import Failed, Ok
from tests.support.tables import passing, row, told

NOTHING_HERE = "not_configured: nothing here performs effects of the kind"
DOUBLED = Ok({"output": {"twice": 4}, "execution": {"duration_ms": 1}})

TABLES = {
    "code": [
        passing("code", "n", out="output twice", codeBody="return {'twice': 2 * n}").rows(
            told(row({"n": 2}, output={"twice": 4}, twice=4), effects={"run_code": DOUBLED}),
            told(row({"n": 2}, fault="ZeroDivisionError"), effects={"run_code": Failed("code_failed", "ZeroDivisionError")}),
            row({"n": 2}, fails=NOTHING_HERE),
        ),
        passing("code", code="def transform(it): return 1", outputKey="_mine").rows(
            told(row(fault="'_mine' is reserved"), effects={"run_code": Ok({"output": 1})}),
        ),
    ],
    "function": [
        passing("function", "n", out="twice", expression="{'twice': 2 * n}").rows(
            told(row({"n": 2}, twice=4), effects={"run_code": DOUBLED}), row({"n": 2}, fails=NOTHING_HERE),
        )
    ],
}  # fmt: skip
