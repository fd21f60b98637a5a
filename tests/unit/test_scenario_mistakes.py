# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: E501  (tables of cases, a line each)
"""Mistakes in scenario files: each is told at its place, with what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dynaccel.scenario.files import ScenarioFileError, read_file

if TYPE_CHECKING:
    from pathlib import Path

BASE = """\
name = "base"
start = 2030-01-01
[[phase]]
ratio = 500
for = "30d"
[job.web]
command = "exec web"
[job.tick]
command = ["tick"]
every = "1h"
"""
LINE = BASE.count("\n") + 1
"""Where what is added begins."""


def mistakes(directory: Path, text: str) -> list[str]:
    path = directory / "s.toml"
    path.write_bytes(text.encode())
    with pytest.raises(ScenarioFileError) as caught:
        read_file(path)
    return [f"{m.place.line}:{m.place.column}: {m.message}" for m in caught.value.mistakes]


@pytest.mark.parametrize(
    ("added", "place", "words"),
    [
        # keys and values
        ("[jobs.x]\ncommand = 'x'", "1:2", "there is no key 'jobs' in a scenario; did you mean 'job'?"),
        ("[machine]\ncpu = 2", "2:1", "no key 'cpu' in [machine]; did you mean 'cpus'?"),
        ("[machine]\nram = '2G'", "2:1", "did you mean 'memory'?"),
        ("[job.a]\ncommand = 'x'\nstop_signal = 1", "3:1", "in [job.a]; did you mean 'stop-signal'?"),
        ("[job]\na = { cmd = 'x' }", "2:7", "did you mean 'command'?"),
        ("[[phase]]\nratio = 1\nduration = '1d'\nfor = '1d'", "3:1", "in [[phase]]; did you mean 'for'?"),
        ("[[phase]]\nratio = 2000\nfor = '1d'", "2:9", "2000 is not a ratio: write a whole number from 1"),
        ("[[phase]]\nratio = true\nfor = '1d'", "2:9", "true is not a ratio"),
        ("[[phase]]\nratio = '5'\nfor = '1d'", "2:9", "'5' is not a ratio"),
        ("[[phase]]\nratio = 1\nfor = 30", "3:7", '30 has no unit: write it in quotes with one, such as "30s"'),
        ("[[phase]]\nratio = 1\nfor = '30 days'", "3:7", "'30 days' is not a duration: write a number and"),
        ("[[phase]]\nratio = 1\nfor = 12:00:00", "3:7", "12:00:00 is not a duration"),
        ("[[phase]]\nratio = 1\nfor = '99999999999y'", "3:7", "is not a duration"),
        ("[machine]\nmemory = '2 gigs'", "2:10", "'2 gigs' is not a size: write for example 512M"),
        ("[machine]\nmemory = 0", "2:10", "0 is not a size"),
        ("[machine]\ncpus = 65", "2:8", "65 is not a number of CPUs: write one from 1 to 64"),
        ("[machine]\nsystem = 'yes'", "2:10", "'yes' is not yes or no: write true or false"),
        ("[machine]\naccelerator = 'xen'", "2:15", "'xen' is not known here; there are auto, kvm and tcg"),
        ("[machine]\npackages = 'nginx'", "2:12", "'nginx' is not an array of words"),
        ("[machine]\npackages = ['Nginx']", "2:12", "'Nginx' is not the name of a Debian package"),
        ("[machine]\nroot = 'none.qcow2'", "2:8", "there is no disk image or directory"),
        ("[machine]\nroot = 'host'\nsuite = 'sid'", "3:1", "'suite' has a meaning only with root = \"debian\""),
        ("[machine.files]\n'/a' = 'none'", "2:8", "there is no file or directory"),
        ("[machine.files]\n'a' = 's.toml'", "1:1", "'a' is not an absolute path of the guest"),
        ("[machine.files]\n'/' = 's.toml'", "2:1", "nothing can be copied to / itself"),
        ("[machine.files]\n'/a' = '.'\n'/a/b' = 's.toml'", "3:1", "it would lie inside /a"),
        ("[machine]\nroot = 'host'\n[checkpoints]\nevery-real = '1h'", "4:14", "cannot be checkpointed"),
        ("[checkpoints]\nkeep = 0", "2:8", "0 is not a whole number from 1 on"),
        ("[job.a]\ncommand = []", "2:11", "an array is not a command: write a line for the shell"),
        ('[job.a]\ncommand = "a\\u0000b"', "2:11", "a NUL cannot stand in it"),
        ("[job.a]\ncommand = 'x'\nstop-signal = 'SIGNONE'", "3:15", "'SIGNONE' is not a signal"),
        ("[job.a]\ncommand = 'x'\nenvironment = { '1' = 'x' }", "3:15", "'1' is not the name of a variable"),
        ("[job.a]\ncommand = 'x'\ndirectory = '../x'", "3:13", "'../x' is not an absolute path"),
        ("[job.'a b']\ncommand = 'x'", "1:6", "'a b' cannot be a name"),
        ("[job]\na = 'x'", "2:5", "a table is wanted here: write [job.a]"),
        ("[job.a]\nkind = 'sevice'\ncommand = 'x'", "2:8", "'sevice' is not known here; did you mean 'service'?"),
        # what a kind takes
        ("[job.a]\nkind = 'once'", "1:1", "a job of kind 'once' needs 'command'"),
        ("[job.a]\nkind = 'repeat'\ncommand = 'x'", "1:1", "a job of kind 'repeat' needs 'every' or 'cron'"),
        ("[job.a]\ncommand = 'x'\nevery = '1h'\ncron = '@daily'", "4:1", "'every' and 'cron' exclude each other"),
        ("[job.a]\nkind = 'once'\ncommand = 'x'\nrestart = 'always'", "4:1",
         "a job of kind 'once' takes no 'restart'; service does"),
        ("[job.a]\ncommand = 'x'\nrestart-delay = '1m'", "3:1", "the job is not restarted: write restart"),
        ("[job.a]\ncommand = 'x'\ncron = '0 0 * * *'\nafter = '1h'", "4:1", "with 'cron' the date says when"),
        ("[job.a]\ncommand = 'x'\ncron = '0 24 * * *'", "3:8", "'24' is no hour, 0 to 23"),
        ("[job.a]\ncommand = 'x'\ncron = '0 0 30 2 *'", "3:8", "no such day ever comes"),
        ("[sample.a]", "1:1", "the sample 'a' has no kind: write kind = "),
        ("[sample.a]\nkind = 'process'\njob = 'wep'", "3:7", "there is no job 'wep'; did you mean 'web'?"),
        ("[sample.a]\nkind = 'process'\njob = 'web'\nprocess = 'x'", "4:1", "'job' and 'process' exclude each other"),
        ("[sample.a]\nkind = 'disk'\npaths = []", "3:9", "is not a path or an array of paths"),
        ("[sample.a]\nkind = 'file'", "1:1", "a sample of kind 'file' needs 'paths'"),
        ("[sample.web]\nkind = 'system'", "1:9", "'web' is the name of a default sample"),
        ("[job.clocks]\ncommand = 'x'", "1:6", "'clocks' is the name of a default sample"),
        ("[log.a]\nkind = 'journal'", "2:8", "write system = true in [machine]"),
        ("[log.web]\nkind = 'file'\npath = '/x'", "1:6", "a job is called 'web', too"),
        ("[job.kernel]\ncommand = 'x'", "1:6", "'kernel' is the name of the kernel's own log"),
        ("[log.a]\nkind = 'kernel'\nmatch = '('", "3:9", "'(' is not a regular expression"),
        ("[log.a]\nkind = 'kernel'\nmatch = '\\d+'", "3:9", "'\\\\d' is not known to POSIX"),
        ("[log.a]\nkind = 'kernel'\npath = '/x'", "3:1", "a log of kind 'kernel' takes no 'path'; file does"),
        # faults
        ("[fault.a]\nkind = 'pause'\nfor-real = '1s'", "1:1", "a fault of kind 'pause' needs 'after' or 'at'"),
        ("[fault.a]\nkind = 'pause'\nat = 2029-01-01\nfor-real = '1s'", "3:6", "the guest begins at 2030-01-01 00:00:00"),
        ("[fault.a]\nkind = 'leap-second'\nafter = '1h'\nstep = '2s'", "4:8", "a leap second is one"),
        ("[fault.a]\nkind = 'kill'\nafter = '1h'\njob = 'x'", "4:7", "there is no job 'x'; there are tick and web"),
        ("[fault.a]\nkind = 'network-cut'\nafter = '1h'\nfor = '1m'", "1:1", "the guest has no eth0"),
        ("[fault.a]\nkind = 'memory-pressure'\nafter = '1h'\nfor = '1m'\nsize = '1G'", "5:8", "has 512 MiB in all"),
        ("[fault.a]\nkind = 'disk-full'\nafter = '1h'\nfor = '1m'\nevery = '1m'", "5:9", "before it is over"),
        # checks
        ("[check.a]\nkind = 'runs'\njob = 'web'", "3:7", "about a job of kind 'repeat', which 'web' is not"),
        ("[check.a]\nkind = 'restarts'\njob = 'tick'", "3:7", "about a job of kind 'service', which 'tick' is not"),
        ("[check.a]\nkind = 'log-absent'\nlog = 'weg'\npattern = 'x'", "3:7", "there is no log or job 'weg'; did you"),
        ("[check.a]\nkind = 'log-absent'\npattern = '['", "3:11", "'[' is not a regular expression"),
        ("[check.a]\nkind = 'growth'\nlimit = 1", "1:1", "a check of kind 'growth' needs 'series'"),
        ("[check.a]\nkind = 'growth'\nseries = 'web'\nlimit = 1", "3:10", "'web' is not a series: write SAMPLE.METRIC"),
        ("[check.a]\nkind = 'growth'\nseries = 'wep.rss'\nlimit = '1X'", "3:10", "no sample 'wep'; did you mean 'web'?"),
        ("[check.a]\nkind = 'growth'\nseries = 'web.rs'\nlimit = '1M'", "3:10", "no metric 'rs'; did you mean 'rss'?"),
        ("[check.a]\nkind = 'growth'\nseries = 'web.pss'\nlimit = '1M'", "3:10", "write pss = true in [sample.web]"),
        ("[check.a]\nkind = 'growth'\nseries = 'web.rss'\nlimit = '1X'", "4:9", "'1X' is not a size"),
        ("[check.a]\nkind = 'growth'\nseries = 'web.rss'\nlimit = '1M per x'", "4:9", "'x' is not a duration"),
        ("[check.a]\nkind = 'growth'\nseries = 'web.rss'\nlimit = '1M per 1d'\nper = '2d'", "4:9", "there is a key 'per', too"),
        ("[check.a]\nkind = 'growth'\nseries = 'web.rss'\nlimit = -1", "4:9", "grow by less than nothing"),
        ("[check.a]\nkind = 'growth'\nseries = 'web.threads'\nlimit = '1M'", "4:9", "the metric is a plain count"),
        ("[check.a]\nkind = 'growth'\nseries = 'web.rss'\nlimit = nan", "4:9", "nan is not a bound"),
        ("[check.a]\nkind = 'value'\nseries = 'web.rss'", "1:1", "needs 'minimum' or 'limit', or both"),
        ("[check.a]\nkind = 'value'\nseries = 'web.rss'\nminimum = 2\nlimit = 1", "4:11", "lies above the upper one"),
        ("[check.a]\nkind = 'restarts'\njob = 'web'\nlimit = 1.5", "4:9", "1.5 is not a number of times"),
        ("[check.a]\nkind = 'ratio'\nshare = '101%'", "3:9", "1.01 is not a share"),
        ("[check.a]\nkind = 'ratio'\nphase = 'phase-2'", "3:9", "there is no phase 'phase-2'; did you mean 'phase-1'?"),
        ("[check.a]\nkind = 'exit-status'\nstatuses = [0, 256]", "3:12", "is not an exit status"),
        ("[check.ratio]\nkind = 'finished'", "1:8", "'ratio' is the name of a default check"),
    ],
)  # fmt: skip
def test_a_mistake(tmp_path: Path, added: str, place: str, words: str) -> None:
    line, column = map(int, place.split(":"))
    (told,) = mistakes(tmp_path, BASE + added + "\n")
    assert told.startswith(f"{line + LINE - 1}:{column}: ")
    assert words in told


PHASES = 'name = "x"\nstart = 2030-01-01\njob.one = { kind = "once", command = "x" }\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["1:1: the scenario has no name", "1:1: there is no phase: write [[phase]]"]),
        ("phase = []\nname = 'x'", ["1:9: there is no phase"]),
        ("name = 'x'\n[phase]\nratio = 1\nfor = '1d'", ["2:1: phases are a list, in order: write"]),
        ("name = 'A b'\nphase = [{ ratio = 1, for = '1s' }]", ["1:8: 'A b' cannot be a scenario's"]),
        (PHASES + "[[phase]]", ["4:1: the phase has no end", "4:1: the phase has no ratio"]),
        (PHASES + "[[phase]]\nratio = 1\nfor = '1d'\nuntil = 2031-01-01",
         ["7:1: the phase ends by 'for' already"]),
        (PHASES + "[[phase]]\nratio = 1\nfor = '1d'\nlimit = '1d'",
         ["7:1: a phase that ends by 'for' takes no 'limit'"]),
        (PHASES + "[[phase]]\nratio = 1\nfor = '1d'\nramp = '2d'",
         ["7:8: the ramp is longer than its phase"]),
        (PHASES + "phase = [{ ratio = 1, until = 2029-01-01 }]",
         ["4:31: the guest's date is 2030-01-01 00:00:00 when it begins"]),
        (PHASES + "phase = [{ ratio = 1, for = '10d' }, { ratio = 2, until = 2030-01-05 }]",
         ["4:59: the guest's date is 2030-01-11 00:00:00 by then"]),
        (PHASES + "[[phase]]\nratio = 1\nuntil = 2031-01-01\n[[phase]]\nratio = 1\nuntil = 2030-06-01",
         ["9:9: the guest's date is 2031-01-01 00:00:00 when the phase before ends"]),
        (PHASES + "[[phase]]\nratio = 1\nfor = '9000y'", ["6:7: no clock goes that far"]),
        (PHASES + "phase = [{ ratio = 1, until-job = 'two' }]", ["4:35: there is no job 'two'; there is one"]),
        (PHASES + "[[phase]]\nratio = 1\nfor = '1d'\nname = 'a'\n[[phase]]\nratio = 1\nfor = '1d'\nname = 'a'",
         ["7:8: 2 phases are called 'a'", "11:8: 2 phases are called 'a'"]),
        ("name = 'x'\n[[job]]\nname = 'x'\n[[phase]]\nratio = 1\nfor = '1d'",
         ["2:1: each job is a table with a name: write [job.NAME]"]),
        ("name = 'x'\n[job]\ncommand = 'x'\n[[phase]]\nratio = 1\nfor = '1d'",
         ["2:1: each job has a name: write [job.NAME]"]),
        # what is no TOML, and no text
        ("name = 'x'\nname = 'y'\n", ["2:11: this is not TOML: cannot overwrite a value"]),
        ("name = x\n", ["1:8: this is not TOML: invalid value"]),
        ("name = 'x", ["1:10: this is not TOML: "]),
        ("x = " + "[" * 5000, ["1:1: arrays or tables are nested too deeply"]),
    ],
)  # fmt: skip
def test_mistakes_of_a_whole_file(tmp_path: Path, text: str, told: list[str]) -> None:
    found = mistakes(tmp_path, text)
    assert len(found) == len(told), found
    for got, wanted in zip(found, told, strict=True):
        assert got.startswith(wanted)


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ("every = '1h'", "is repeated without an end"),
        ("kind = 'setup'", "ends before the first phase"),
        ("kind = 'finish'", "starts after the last phase"),
        ("restart = 'always'", "is always restarted"),
    ],
)
def test_a_job_that_never_ends(tmp_path: Path, job: str, reason: str) -> None:
    text = BASE.replace('for = "30d"', "until-job = 'x'") + f"[job.x]\ncommand = 'x'\n{job}\n"
    (told,) = mistakes(tmp_path, text)
    assert told.startswith("5:13: the phase would wait for 'x', which " + reason)


def test_a_file_that_is_not_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_bytes('name = "x"\n# Gr\u00fc\u00dfe, '.encode() + b"\xe9t\xe9\n")
    with pytest.raises(ScenarioFileError) as caught:
        read_file(path)
    assert str(caught.value.detail) == f"{path}:2:10: byte 0xe9 is not UTF-8: save it as UTF-8"


def test_columns_count_characters_and_lines_may_end_as_in_windows(tmp_path: Path) -> None:
    text = (
        BASE
        + "[job]\nb = { environment = { 'A' = '\u00fc\U0001f600' }, command = 'x', cron = '1' }\n"
    )
    (told,) = mistakes(tmp_path, "\ufeff" + text.replace("\n", "\r\n"))
    assert told.startswith(f"{LINE + 1}:59: '1' is no time of cron")


def test_all_mistakes_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = BASE.replace("500", "0") + (
        "[check.a]\nkind = 'growht'\n[check.b]\nkind = 'runs'\njob = 'x'\n[sample.s]\nevry = '1h'\n"
    )
    told = mistakes(tmp_path, text)
    assert [line.split(": ")[0] for line in told] == ["4:9", "12:8", "15:7", "16:1", "17:1"]


def test_a_wrong_value_brings_no_second_mistake(tmp_path: Path) -> None:
    # The key is there, whatever is in it: nothing is missing.
    for added in ("[job.a]\nkind = 'repeat'\ncommand = 'x'\nevery = 5",
                  "[check.a]\nkind = 'growth'\nseries = 'web.rss'\nlimit = true",
                  "[fault.a]\nkind = 'pause'\nafter = 1\nfor-real = '1s'"):  # fmt: skip
        assert len(mistakes(tmp_path, BASE + added)) == 1
