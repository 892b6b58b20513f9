"""What stands around a reranker: each guard is itself a reranker, built around another."""
