"""What a feature may bring, and the frozen table of what was brought."""
