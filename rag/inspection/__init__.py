"""Questions about an index and its settings that change nothing."""
