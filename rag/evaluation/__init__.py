"""Measured, not believed: how good a config is, whether another is better, and which threshold fits."""
