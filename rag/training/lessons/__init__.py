"""From questions and documents to what a model learns from."""
