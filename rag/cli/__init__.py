"""The command line: options become calls, results become text."""
