"""The promises of the stores, each kept in one technology."""
