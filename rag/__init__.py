"""Retrieve, rerank, answer: with citations, offline by default."""
