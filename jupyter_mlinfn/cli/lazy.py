"""A group of verbs whose modules are imported only when one of them is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import click


@dataclass(frozen=True)
class Verb:
    """Where a verb's command is, as ``module:name`` below ``jupyter_mlinfn.cli``, and its line."""

    place: str
    help: str
    hidden: bool = False

    def load(self) -> click.Command:
        """Import the verb's module and return its command."""
        module, _, name = self.place.partition(":")
        command = getattr(import_module(f"jupyter_mlinfn.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command


class LazyGroup(click.Group):
    """A click group that lists its verbs from a table and imports them late."""

    def __init__(self, *args: Any, verbs: Mapping[str, Verb], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the verbs people are told of, in the table's order."""
        return [name for name, verb in self.verbs.items() if not verb.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The verb's command, imported now."""
        verb = self.verbs.get(cmd_name)
        return verb.load() if verb else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with a word on what may have been meant."""
        name = args[0]
        if name not in self.verbs and not name.startswith("-"):
            close = get_close_matches(name, self.list_commands(ctx), n=1)
            advice = f"Did you mean '{close[0]}'?" if close else "See --help for the list."
            raise click.UsageError(f"There is no verb '{name}'. {advice}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of verbs from the table alone: nothing is imported for it."""
        rows = [(name, self.verbs[name].help) for name in self.list_commands(ctx)]
        with formatter.section("Verbs"):
            formatter.write_dl(rows)
