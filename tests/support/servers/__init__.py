"""Loopback servers that enforce the contracts of hosted services, for their real SDKs."""
