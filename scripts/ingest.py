"""`rag ingest` as a script: python scripts/ingest.py PATH... [--prune] [--config FILE] [--json]."""

from __future__ import annotations

import sys

from rag.cli.app import main

if __name__ == "__main__":
    sys.argv[1:1] = ["ingest"]
    main()
