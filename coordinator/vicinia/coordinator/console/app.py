"""The command `vicinia`: what a researcher does, from the invitation to the result."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from rich.console import Console
from vicinia.coordinator.client.folder import Folder, default_folder
from vicinia.coordinator.console import show
from vicinia.errors import InvalidInput, NotFound, ViciniaError

__all__ = ["app", "main"]

INTERRUPTED = 130
MAX_JOB_FILE = 64 * 1024

app = typer.Typer(
    name="vicinia",
    help="Ask a data cooperative: find its data, check and submit a job, follow the vote, read the result.",
    epilog='Example: vicinia login "$(cat invitation.txt)"; vicinia check JOB.toml; vicinia submit JOB.toml',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
JobFile = Annotated[Path, typer.Argument(metavar="JOB.toml", help="The job, as a file.")]
JobName = Annotated[str, typer.Argument(metavar="JOB", help="The job's hash, or how it begins.")]


@app.callback()
def _root(
    context: typer.Context,
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Your folder (default ~/.local/share/vicinia/console).")
    ] = None,
) -> None:
    context.obj = Folder(directory or default_folder())


@app.command(epilog='Example: vicinia login "$(cat invitation.txt)"')
def login(
    context: typer.Context,
    invitation: Annotated[str, typer.Argument(metavar="INVITATION", help="The line that the steward gave you.")],
    as_json: Json = False,
) -> None:
    """Make your keys and become a researcher of the cooperative."""
    from vicinia.coordinator.console.login import log_in

    membership, researcher = log_in(context.obj, invitation)
    facts = {"coop": membership.coop, "institution": membership.institution, "kind": membership.kind, "id": researcher}
    if as_json:
        return _print_json(facts)
    _out().print(
        f"You are researcher {researcher} of {membership.institution} in the cooperative {membership.coop}.\n"
        "You can submit jobs as soon as the registrars have endorsed you in the public log."
    )
    return None


@app.command(epilog="Example: vicinia datasets")
def datasets(context: typer.Context, as_json: Json = False) -> None:
    """Which data there is: columns, units, bounds, and roughly how many households."""
    with _client(context) as client:
        definitions, households = client.datasets()
    if as_json:
        return _print_json({"datasets": [one.payload() for one in definitions.values()], "households": households})
    show.datasets(_out(), definitions.values(), households)
    return None


@app.command(epilog="Example: vicinia check JOB.toml")
def check(context: typer.Context, job: JobFile, as_json: Json = False) -> None:
    """What a job would mean, cost, and how precise its result could be; nothing is sent to anybody's home."""
    text = _read(job)
    with _client(context) as client:
        found = client.check(text, job.name)
    if as_json:
        return _print_json(found.payload())
    show.checked(_out(), found)
    return None


@app.command(epilog="Example: vicinia submit JOB.toml")
def submit(context: typer.Context, job: JobFile, as_json: Json = False) -> None:
    """Sign a job and hand it in; a member must sponsor it before the vote opens."""
    text = _read(job)
    with _client(context) as client:
        job_hash = client.submit(text, job.name)
    if as_json:
        return _print_json({"job": job_hash})
    _out().print(f"Submitted: {job_hash}\nA member must now sponsor it. Follow it with: vicinia watch {job_hash[:12]}")
    return None


@app.command(epilog="Example: vicinia jobs")
def jobs(context: typer.Context, as_json: Json = False) -> None:
    """Your jobs and where they stand."""
    with _client(context) as client:
        found = client.jobs()
    if as_json:
        return _print_json({"jobs": [show.facts_of(one, 0.0) for one in found]})
    show.jobs(_out(), found)
    return None


@app.command(epilog="Example: vicinia watch 3f9a")
def watch(context: typer.Context, job: JobName, as_json: Json = False) -> None:
    """Follow a job to its end: the turnout of the vote, then the phases of its run."""
    from vicinia.coordinator.console.watching import watch_json, watch_live

    with _client(context) as client:
        name = context.obj.find_job(job)
        (watch_json if as_json else watch_live)(client, name, _out())


@app.command(epilog="Example: vicinia result 3f9a --csv > result.csv")
def result(
    context: typer.Context,
    job: JobName,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for spreadsheets.")] = False,
) -> None:
    """The released numbers with their standard errors, checked against the public log."""
    if as_json and as_csv:
        raise InvalidInput("--json and --csv exclude each other.", where="result", hint="Choose one.")
    with _client(context) as client, Console(stderr=True).status("waiting for the witnesses to confirm the release"):
        found = client.result(context.obj.find_job(job))
    if as_json:
        return _print_json(found.payload())
    if as_csv:
        sys.stdout.write(found.csv())
        return None
    show.result(_out(), found)
    return None


def main(argv: list[str] | None = None) -> None:
    """Run one command; an error of ours is one sentence on stderr and a status of its own, never a traceback."""
    try:
        app(args=_folder_first(sys.argv[1:] if argv is None else argv), standalone_mode=False)
    except ViciniaError as error:
        _fail(str(error), error.exit_status)
    except click.exceptions.NoArgsIsHelpError as shown:
        print(shown.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _fail(f"vicinia: {error.format_message()} See: vicinia --help", error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has had enough
        sys.exit(1)
    except Exception as defect:  # the last edge: a defect of ours is still one sentence
        _fail(f"vicinia: this is a defect of the program: {type(defect).__name__}: {defect}", 1)


def _folder_first(argv: list[str]) -> list[str]:
    """`--dir DIR` may stand before or after the command, as with the other programs."""
    for place, word in enumerate(argv):
        if word == "--":
            break
        if word == "--dir" and place + 1 < len(argv):
            return [*argv[place : place + 2], *argv[:place], *argv[place + 2 :]]
        if word.startswith("--dir="):
            return [word, *argv[:place], *argv[place + 1 :]]
    return argv


def _fail(sentence: str, status: int) -> None:
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(status)


def _client(context: typer.Context) -> Any:
    from vicinia.coordinator.client import Client  # loads gRPC, which --help does not need

    return Client(context.obj)


def _out() -> Console:
    return Console(highlight=False)


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def _read(path: Path) -> str:
    """The text of a job file; NotFound or InvalidInput in words."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(f"The file cannot be read: {error.strerror}.", where=str(path)) from error
    if len(data) > MAX_JOB_FILE:
        raise InvalidInput(f"A job has at most {MAX_JOB_FILE} bytes.", where=str(path))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput("The file is not UTF-8 text.", where=f"{path}, byte {error.start}") from error


if __name__ == "__main__":
    main()
