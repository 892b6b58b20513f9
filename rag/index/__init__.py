"""What an index is made of: the catalog is the truth, vectors and BM25 are derived from it."""
