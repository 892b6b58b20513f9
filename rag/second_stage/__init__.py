"""From candidates to relevance: who scores, what stands around the scorer, and on what scale."""
