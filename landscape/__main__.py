"""``python -m landscape`` is the command ``landscape-train``."""

from landscape.cli import main

raise SystemExit(main())
