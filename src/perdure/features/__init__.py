"""What the product can do, one folder each; nothing below knows that they exist."""
