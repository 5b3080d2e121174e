"""The command line, `observatory`, as `python -m jobs`."""

from jobs.cli.main import command

if __name__ == "__main__":
    command()
