"""As much of curl as the README's tour asks for, in a process, for a machine that has none."""

import argparse
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def main(words: list[str] | None = None) -> int:
    """Ask once, print what is answered as it comes, and end as curl does."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "-s", "-S", "-N", "-sS", "--fail-with-body", action="store_true", dest="known"
    )
    parser.add_argument("-H", action="append", default=[], dest="headers")
    parser.add_argument("-d", dest="body")
    parser.add_argument("-w", default="", dest="after")
    parser.add_argument("url")
    asked = parser.parse_args(words)
    headers = dict(it.split(": ", 1) for it in asked.headers)
    body = None if asked.body is None else asked.body.encode()
    try:
        with urlopen(Request(asked.url, body, headers), timeout=60) as answer:
            while piece := answer.read1():
                sys.stdout.buffer.write(piece)
                sys.stdout.flush()
    except HTTPError as refused:
        sys.stdout.buffer.write(refused.read())
        return 22
    sys.stdout.write(asked.after.encode().decode("unicode_escape"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
