# SPDX-License-Identifier: GPL-2.0-or-later
"""Manual pages and completion scripts, made of the commands that also make ``--help``."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from dynaccel.cli.main import COMMANDS, INTERRUPTED
from dynaccel.core.errors import InfrastructureError, MissingError, StageError, UserError
from dynaccel.packaging.tool.roff import Item, ManualPage, Paragraph, References, Synopsis

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynaccel.packaging.tool.roff import Block

PROGRAM = "dynaccel"
COMPLETION_VARIABLE = "_DYNACCEL_COMPLETE"
COMPLETIONS = {
    "bash": "bash-completion/completions/dynaccel",
    "zsh": "zsh/site-functions/_dynaccel",
    "fish": "fish/vendor_completions.d/dynaccel.fish",
}
"""The shells, and where below ``share`` each looks for a command's completion."""

ENVIRONMENT = {
    "DYNACCEL_CACHE": "Directory for what can be made again: built kernels, sources, the guest's"
    " image. Without it, dynaccel below XDG_CACHE_HOME.",
    "XDG_CACHE_HOME": "Directory for caches. Without it, ~/.cache.",
    "XDG_RUNTIME_DIR": "Directory for the sockets of running guests. Without it, one of this user's"
    " below TMPDIR, else /tmp.",
    "GNUPGHOME": "Directory of the keys that 'dynaccel repo' signs with. Without it, gpg's own.",
    "PATH": "Where QEMU, compilers and all other programs are looked for.",
}
"""The variables that dynaccel reads."""

PACKAGERS_ENVIRONMENT = {"SOURCE_DATE_EPOCH", "DEBFULLNAME", "DEBEMAIL"}
"""Variables that only those meet who make packages; their documents tell them."""

FILES = {
    "~/.cache/dynaccel/kernels": "The built kernels: a directory each, named by its id.",
    "$XDG_RUNTIME_DIR/dynaccel/vms": "The guests of this user that run.",
    "/proc/sys/kernel/accel": "The ratio, on a machine or in a guest that runs such a kernel.",
}

_USUAL = (UserError, MissingError, StageError, InfrastructureError)
_NO_REWRAP = "\b"
_STATUS = re.compile(r"(?P<status>\d+) (?P<text>.+)", re.DOTALL)
_STATUSES = "Exit statuses:"
_OTHER = "any other"


def pages(command: click.Command) -> list[ManualPage]:
    """Return the manual page of a command and those of its sub-commands, hidden ones left out.

    Args:
        command: The command that users call as ``dynaccel``.
    """
    return [_page(context) for context in _contexts(_context(command, PROGRAM, None))]


def completion_script(command: click.Command, shell: str) -> str:
    """Return the script by which a shell completes a command.

    Args:
        command: The command that users call as ``dynaccel``.
        shell: A key of :data:`COMPLETIONS`.
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise ValueError(f"click has no completion for {shell}")
    script = kind(command, {}, PROGRAM, COMPLETION_VARIABLE)
    # Not script.source(), which looks whether this machine has the shell.
    return (script.source_template % script.source_vars()).strip() + "\n"


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    for child in _children(context):
        yield from _contexts(child)


def _children(context: click.Context) -> list[click.Context]:
    group = context.command
    if not isinstance(group, click.Group):
        return []
    found = ((name, group.get_command(context, name)) for name in group.list_commands(context))
    return [
        _context(command, name, context)
        for name, command in found
        if command is not None and not command.hidden
    ]


def _page(context: click.Context) -> ManualPage:
    command = context.command
    sections = (
        ("SYNOPSIS", _synopsis(context)),
        ("DESCRIPTION", tuple(_paragraphs(command))),
        ("OPTIONS", tuple(_options(context))),
        ("COMMANDS", tuple(_commands(context))),
        ("EXIT STATUS", tuple(_statuses(context))),
        ("ENVIRONMENT", tuple(Item(term=n, text=t, bold=True) for n, t in ENVIRONMENT.items())),
        ("FILES", tuple(Item(term=name, text=text, bold=True) for name, text in FILES.items())),
        ("SEE ALSO", _references(context)),
    )
    return ManualPage(
        name=_name(context),
        summary=_summary(command),
        sections=tuple((heading, blocks) for heading, blocks in sections if blocks),
    )


def _name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").partition("\f")[0]


def _summary(command: click.Command) -> str:
    """Return the first sentence of a command's help, as NAME has it."""
    first = " ".join(_help(command).partition("\n\n")[0].split())
    return re.split(r"\.(?:\s|$)", first, maxsplit=1)[0]


def _synopsis(context: click.Context) -> tuple[Block, ...]:
    arguments = tuple(context.command.collect_usage_pieces(context))
    return (Synopsis(command=context.command_path, arguments=arguments),)


def _paragraphs(command: click.Command) -> Iterator[Block]:
    for text in _help(command).split("\n\n"):
        # click's own sign, a line of its own, for lines that stay as they are
        verbatim = text.startswith(_NO_REWRAP)
        yield Paragraph(text=text.removeprefix(_NO_REWRAP).lstrip("\n"), verbatim=verbatim)


def _options(context: click.Context) -> Iterator[Block]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        # An argument without a help of its own is what the description is about.
        if record is not None and record[1]:
            yield Item(term=record[0], text=record[1])


def _commands(context: click.Context) -> Iterator[Block]:
    for child in _children(context):
        yield Item(
            term=child.command_path,
            text=f"{_summary(child.command)}. See {_name(child)}(1).",
            bold=True,
        )


def _statuses(context: click.Context) -> Iterator[Block]:
    """Yield the exit statuses: those of the command's epilog, and what else commands end with.

    A command with a status of its own for every failure of dynaccel says so in its epilog.
    """
    own = list(_own_statuses(context.command))
    known = {item.term for item in own}
    usual = [
        Item(term="0", text="It did what it was asked for.", bold=True),
        *(Item(term=str(e.exit_status), text=_first_line(e), bold=True) for e in _USUAL),
        Item(term=str(INTERRUPTED), text="It was interrupted.", bold=True),
    ]
    if _has_own_failure(context):
        usual = []
    found = [*own, *(item for item in usual if item.term not in known)]
    yield from sorted(found, key=lambda item: (not item.term.isdigit(), item.term.rjust(3)))


def _own_statuses(command: click.Command) -> Iterator[Item]:
    epilog = " ".join(inspect.cleandoc(command.epilog or "").split())
    _, found, statuses = epilog.partition(_STATUSES)
    if not found:
        return
    for part in statuses.strip().removesuffix(".").split("; "):
        status = _STATUS.fullmatch(part)
        term, text = (status["status"], status["text"]) if status else (_OTHER, part)
        if not text.startswith(PROGRAM):
            text = text[0].upper() + text[1:]
        yield Item(term=term, text=f"{text}.", bold=True)


def _has_own_failure(context: click.Context) -> bool:
    words = context.command_path.split()
    entry = COMMANDS.get(words[1]) if len(words) > 1 else None
    return entry is not None and entry.failure_status is not None


def _first_line(error: type[Exception]) -> str:
    return inspect.cleandoc(error.__doc__ or "").splitlines()[0]


def _references(context: click.Context) -> tuple[Block, ...]:
    parent = context.parent
    family = [*([parent] if parent else []), *_children(context)]
    if parent is not None:
        family += [each for each in _children(parent) if each.info_name != context.info_name]
    return (References(names=tuple(_name(each) for each in family)),)
