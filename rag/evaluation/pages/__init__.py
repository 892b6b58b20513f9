"""Reports of one page each."""
