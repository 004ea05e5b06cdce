"""``python -m analyses`` is the command ``landscape-plot``."""

from analyses.cli import main

raise SystemExit(main())
