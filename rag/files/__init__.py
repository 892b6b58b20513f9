"""Files: what the package brings along, and how a file is written."""
