"""Objects and lists, taken apart and put together."""

from tests.support.tables import Row, pure, row

TABLES = {
    "break_object": [
        pure("break_object", "object", out="a.b c", breakConfig={"selectedPaths": ["a.b", "c"]}).rows(
            Row({"object": {"a": {"b": 1}}}, {"a.b": 1, "c": None, "success": True}), Row({"object": '{"c": 2}'}, {"a.b": None, "c": 2, "success": True}),
        ),
        pure("break_object", "object", out="value", breakConfig={"selectedPaths": ["value"]}).rows(row({"object": "7"}, value=7), row({"object": "no"}, value=None)),
    ],
    "get": [
        pure("get", "object", "key", "default", out="value").rows(
            row({"object": {"a": [{"b": 1}]}, "key": "a[0].b"}, value=1), row({"object": {}, "key": "a", "default": "d"}, value="d"),
        )
    ],
    "set": [
        pure("set", "object", "key", "value").rows(row({"object": {"a": 1}, "key": "b.c", "value": 2}, result={"a": 1, "b": {"c": 2}}))
    ],
    "merge": [pure("merge", "a", "b").rows(row({"a": {"x": 1, "y": 1}, "b": {"y": 2}}, result={"x": 1, "y": 2}))],
    "make_object": [pure("make_object", "a", "_b").rows(row({"a": 1, "_b": 2}, result={"a": 1}))],
    "make_array": [pure("make_array", "a", "b", "c").rows(row({"a": 1, "c": "x"}, result=[1, "x"]))],
    "coalesce": [pure("coalesce", "a", "b").rows(row({"b": 0}, result=0), row(result=None))],
    "get_element": [
        pure("get_element", "array", "index", "default", out="result found").rows(
            row({"array": ["a", "b"], "index": -1}, result="b", found=True),
            row({"array": ["a"], "index": 4, "default": "d"}, result="d", found=False),
        )
    ],
}  # fmt: skip
