"""python -m smartqueue_client."""

from smartqueue_client.cli import main

raise SystemExit(main())
