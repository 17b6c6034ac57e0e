"""One thin module a library, for what `cryptography` does not offer."""
