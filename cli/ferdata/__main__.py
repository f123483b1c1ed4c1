"""`python -m ferdata`."""

from ferdata.main import main

main()
