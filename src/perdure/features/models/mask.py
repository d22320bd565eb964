"""Keeps a key out of what a provider says: servers repeat in errors, and in answers, what they were sent."""

import re
from base64 import b64encode
from urllib.parse import quote

from perdure.kernel.values import Json

LETTERS_MIN = 8  # below it a key is a word, such as `none`, that ordinary text may hold


class Mask:
    """Puts stars over a key, as it is and as base64, hexadecimal and URLs write it. Lengths stay."""

    def __init__(self, secret: str) -> None:
        """Hide `secret`; one that is too short to be a secret is left alone."""
        forms = _forms(secret) if len(secret) >= LETTERS_MIN else set()
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._found = re.compile("|".join(map(re.escape, longest_first))) if forms else None

    def text(self, text: str) -> str:
        """The text without the key."""
        if self._found is None:
            return text
        return self._found.sub(lambda found: "*" * len(found[0]), text)

    def json(self, value: Json) -> Json:
        """The value without the key, in names too."""
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(name): self.json(it) for name, it in value.items()}
            case list():
                return [self.json(it) for it in value]
            case _:
                return value


def _forms(secret: str) -> set[str]:
    """How the secret may be written."""
    raw = secret.encode()
    forms = {secret, raw.hex(), raw.hex().upper(), quote(secret, safe=""), quote(secret)}
    for before in range(3):  # base64 depends on where in the text the secret begins
        whole = b64encode(b"\0" * before + raw).decode().rstrip("=")
        core = whole[(before * 8 + 5) // 6 : (len(raw) + before) * 8 // 6]
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    return forms
