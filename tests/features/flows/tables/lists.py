"""Lists of lists; and an item by chance, which is the same for the same run."""

from tests.support.tables import pure, row

PEOPLE = [{"n": "a", "at": {"k": 1}}, {"n": "b", "at": {"k": 1}}, {"n": "c"}, "d"]

TABLES = {
    "array_length": [pure("array_length", "array").rows(row({"array": [1, 2]}, result=2), row({"array": "ab"}, result=0))],
    "array_append": [pure("array_append", "array", "item").rows(row({"array": [1], "item": 2}, result=[1, 2]), row(result=[None]))],
    "array_concat": [pure("array_concat", "a", "b").rows(row({"a": [1], "b": 2}, result=[1, 2]))],
    "array_dedup": [
        pure("array_dedup", "array", "key").rows(
            row({"array": [1, "1", True, 1, {"a": 1}, {"a": 1}]}, result=[1, "1", True, {"a": 1}]),
            row({"array": PEOPLE, "key": "at.k"}, result=[PEOPLE[0], *PEOPLE[2:]]), row({"array": "no list"}, result=[]),
        )
    ],
    "array_map": [pure("array_map", "items", "key").rows(row({"items": PEOPLE, "key": "n"}, result=["a", "b", "c", "d"]))],
    "array_filter": [
        pure("array_filter", "items", "key", "value").rows(
            row({"items": PEOPLE, "key": "n", "value": "b"}, result=[PEOPLE[1]]), row({"items": PEOPLE, "value": "d"}, result=["d"]),
        )
    ],
    "has_tools": [pure("has_tools", "array").rows(row({"array": [{}]}, result=True), row({"array": []}, result=False))],
    "get_random_element": [
        pure("get_random_element", "array", "default", out="result found").rows(
            row({"array": ["a", "b", "c"]}, result="a", found=True), row({"array": [], "default": "d"}, result="d", found=False),
        )
    ],
}  # fmt: skip
