"""What an index is made of: the catalog is the truth, Chroma and BM25 are derived from it."""
