"""The command line, in a process of its own, with every secret that it makes bearing the mark of canaries."""

from unittest.mock import patch

from perdure.app.cli import main
from tests.support.canaries import marked_urlsafe

if __name__ == "__main__":
    patch("perdure.ids.token_urlsafe", marked_urlsafe).start()
    main()
