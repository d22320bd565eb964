"""The bench: what the product reaches beside the limits of the machine and beside its peers, in one run."""
