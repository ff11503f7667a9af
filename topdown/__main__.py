"""``python -m topdown``: the command line, where the script is not on the path."""

from topdown.cli.main import main

if __name__ == "__main__":
    main()
