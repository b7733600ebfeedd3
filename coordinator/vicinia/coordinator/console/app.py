"""The command `vicinia`: what a researcher does, from the invitation to the result."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import click
import typer
from rich.console import Console
from vicinia.coordinator.client.folder import Folder, default_folder
from vicinia.coordinator.console import show
from vicinia.coordinator.console.arguments import JobFile, JobName, Json, folder_first
from vicinia.coordinator.console.epilog import EPILOG
from vicinia.coordinator.console.files import read_invitation, read_text
from vicinia.coordinator.usage import VersionOption, sentence
from vicinia.errors import NotAccepted, ViciniaError

__all__ = ["app", "main"]

INTERRUPTED = 130

app = typer.Typer(
    name="vicinia",
    help="Ask a data cooperative: find its data, check and submit a job, follow the vote, read the result.",
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.callback()
def _root(
    context: typer.Context,
    directory: Annotated[
        Path | None, typer.Option("--dir", metavar="DIR", help="Your folder (default ~/.local/share/vicinia/console).")
    ] = None,
    _version: VersionOption = False,
) -> None:
    context.obj = Folder(directory or default_folder())


@app.command(epilog="Example: vicinia login --invitation-file invitation.txt")
def login(
    context: typer.Context,
    invitation: Annotated[
        str | None,
        typer.Argument(
            metavar="INVITATION",
            show_default=False,
            help="The line that the steward gave you, or - to read it from standard input.",
        ),
    ] = None,
    invitation_file: Annotated[
        Path | None,
        typer.Option("--invitation-file", metavar="FILE", help="Read the invitation from a file."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make your keys and become a researcher of the cooperative.

    INVITATION is the line that the steward gave you; - reads it from standard input. On a machine that others use,
    prefer that or a file: everybody there can see the words of a command.
    """
    from vicinia.coordinator.console.login import log_in

    membership, researcher = log_in(context.obj, read_invitation(invitation, invitation_file))
    facts = {"coop": membership.coop, "institution": membership.institution, "kind": membership.kind, "id": researcher}
    if as_json:
        return _print_json(facts)
    _out().print(
        f"You are researcher {researcher} of {membership.institution} in the cooperative {membership.coop}.\n"
        "Look around with: vicinia datasets. "
        "You can check and submit jobs as soon as the registrars have endorsed you.",
        markup=False,
    )
    return None


@app.command(epilog="Example: vicinia datasets")
def datasets(context: typer.Context, as_json: Json = False) -> None:
    """Show the data sets: columns, units, bounds, and roughly how many households there are."""
    with _client(context) as client:
        definitions, households = client.datasets()
    if as_json:
        return _print_json({"datasets": [one.payload() for one in definitions.values()], "households": households})
    show.datasets(_out(), definitions.values(), households)
    return None


@app.command(epilog="Example: vicinia check JOB.toml")
def check(context: typer.Context, job: JobFile, as_json: Json = False) -> None:
    """Say what a job would mean, cost and need, and how precise it could be; nothing is sent to any home.

    The exit status is 5 where the job could not run here, as that of submit would be.

    JOB.toml is the job: title, purpose, why, a query or a section [training], and the budget under
    [privacy].
    """
    text = read_text(job)
    with _client(context) as client:
        found = client.check(text, job.name, job.parent)
    if as_json:
        _print_json(found.payload())
    else:
        show.checked(_out(), found)
    if found.refusal:
        sys.exit(NotAccepted.exit_status)


@app.command(epilog="Example: vicinia submit JOB.toml")
def submit(context: typer.Context, job: JobFile, as_json: Json = False) -> None:
    """Sign a job and hand it in, once; a member must sponsor it before the vote opens."""
    text = read_text(job)
    with _client(context) as client:
        initial = _initial(text, job)
        job_hash = client.submit(text, job.name, job.parent)
    if as_json:
        return _print_json({"job": job_hash, "initial": initial})
    _out().print(f"Submitted: {job_hash}")
    if initial is not None:
        _out().print(f"With your model, from which it starts: sha256 {initial}")
    _out().print(f"A member must now sponsor it. Follow it with: vicinia watch {job_hash[:12]}")
    return None


@app.command(epilog="Example: vicinia jobs")
def jobs(context: typer.Context, as_json: Json = False) -> None:
    """List the cooperative's jobs, yours and others', and where they stand."""
    with _client(context) as client:
        found = client.jobs()
    own = context.obj.jobs()
    if as_json:
        return _print_json({"jobs": [show.facts_of(one, time.time()) | {"own": one.job_hash in own} for one in found]})
    show.jobs(_out(), found, own)
    return None


@app.command(epilog="Example: vicinia watch 3f9a")
def watch(context: typer.Context, job: JobName, as_json: Json = False) -> None:
    """Follow a job to its end: the turnout of the vote, then the phases of its run, or the rounds of a training.

    JOB is the job's hash, or how it begins. The exit status says how the job ended: 0 for a result.
    """
    from vicinia.coordinator.console.watching import watch_json, watch_live

    with _client(context) as client:
        (watch_json if as_json else watch_live)(client, client.find(job), _out())


@app.command(epilog="Example: vicinia result 3f9a --csv > result.csv; of a training: vicinia result 3f9a --out model")
def result(
    context: typer.Context,
    job: JobName,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table for spreadsheets.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Save a model as DIR/model.safetensors, with its card.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option("--svg", metavar="FILE", help="Draw a training's metrics over its rounds.")
    ] = None,
) -> None:
    """Show the released numbers, or the trained model, with standard errors, checked against the public log.

    JOB is the job's hash, or how it begins. A model is computed again from what its rounds released, where the recipe
    takes its own steps.
    """
    from vicinia.coordinator.console.results import Wanted, show_result

    wanted = Wanted(as_json, as_csv, out, svg)
    with _client(context) as client:
        show_result(client, client.find(job), wanted, _out())


@app.command(epilog="Example: vicinia predict model.safetensors DATA.csv > predicted.csv")
def predict(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="What vicinia result --out saved.")],
    data: Annotated[list[str], typer.Argument(metavar="DATA.csv", help="Rows under the data set's column names.")],
    card: Annotated[
        Path | None, typer.Option("--card", metavar="CARD.json", help="The model's card (default: beside it).")
    ] = None,
    household: Annotated[
        str | None, typer.Option("--household", metavar="COLUMN", help="Rows that agree in it are one household.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a saved model makes of new rows: the rows as CSV, with the predictions added.

    Where a model reads several data sets, give each as NAME=FILE. Works without a cooperative as long as the card and
    the job stand beside the model.
    """
    from vicinia.coordinator.console.predicting import Data, predict, predictor

    found = predictor(model, card, lambda: _client(context))
    predicted = predict(found, [Data.parse(word) for word in data], household)
    if as_json:
        return _print_json(predicted.payload())
    sys.stdout.write(predicted.csv())
    return None


def main(argv: list[str] | None = None) -> None:
    """Run one command; an error of ours is one sentence on stderr and a status of its own, never a traceback."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its notes on handshakes are not for people
    try:
        words = folder_first(sys.argv[1:] if argv is None else argv)
        app(args=words, prog_name="vicinia", standalone_mode=False)
    except ViciniaError as error:
        _fail(str(error), error.exit_status)
    except click.exceptions.NoArgsIsHelpError as shown:
        print(shown.format_message())
        sys.exit(2)
    except click.ClickException as error:
        _fail(sentence(error, "vicinia"), error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has had enough
        sys.exit(1)
    except Exception as defect:  # the last edge: a defect of ours is still one sentence
        _fail(f"vicinia: This is a defect of the program: {type(defect).__name__}: {defect}", 1)


def _fail(sentence: str, status: int) -> None:
    print(f"error: {sentence}", file=sys.stderr)
    sys.exit(status)


def _client(context: typer.Context) -> Any:
    from vicinia.coordinator.client import Client  # loads gRPC, which --help does not need

    return Client(context.obj)


def _initial(text: str, job: Path) -> str | None:
    """The SHA-256 of the model that a job brings along."""
    from vicinia.assembly.toml import TomlFile
    from vicinia.coordinator.client.initial import initial_model

    model = initial_model(TomlFile.parse(text, job.name), job.parent)
    return None if model is None else model.digest.hex()


def _out() -> Console:
    return Console(highlight=False)


def _print_json(value: object) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    main()
