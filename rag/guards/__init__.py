"""What stands around a reranker: each guard is itself a reranker, and knows nothing of the others."""
