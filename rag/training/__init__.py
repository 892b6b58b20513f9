"""Ranking that learns from a user's own questions: what `rag train` does."""
