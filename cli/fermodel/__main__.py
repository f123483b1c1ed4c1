"""`python -m fermodel`."""

from fermodel.main import main

main()
