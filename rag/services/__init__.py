"""Hosted services: accounts, one bounded POST, one client, and the word that forbids them all."""
