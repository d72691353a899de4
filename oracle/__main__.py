"""`python -m oracle` is `margin-oracle`."""

from oracle.cli import main

main()
