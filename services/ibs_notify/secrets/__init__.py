"""Secrets at rest: envelope encryption under a key file, and a wrapper that never prints."""
