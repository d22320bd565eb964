"""Content in a bucket of a server that speaks S3, for hosts that keep nothing themselves."""
