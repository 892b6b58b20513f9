"""Local models: their folders, what they are, and what runs them."""
