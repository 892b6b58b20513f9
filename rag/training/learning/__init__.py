"""From lessons to weights: steps, losses, checkpoints."""
