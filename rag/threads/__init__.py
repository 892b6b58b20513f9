"""Work on several threads: one a core, ahead of its use, gathered from callers."""
