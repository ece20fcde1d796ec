"""``python -m archsearch`` is ``archsearch``."""

from archsearch.cli import main

if __name__ == "__main__":
    main(prog_name="archsearch")
