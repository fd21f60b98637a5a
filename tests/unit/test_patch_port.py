# SPDX-License-Identifier: GPL-2.0-or-later
"""Help with a new version: which variants fit, what a maintainer gets, what is new in the tree."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING

import patch_trees as trees
import pytest
from click.testing import CliRunner
from test_patch_merge import BASE, FILE, HOOKED, changed, git_diff, text

from dynaccel.cli.kernel_port import DOES_NOT_FIT, port
from dynaccel.core.errors import TreeMismatchError, UserError
from dynaccel.core.versions import KernelVersion
from dynaccel.host import paths
from dynaccel.patch import HookState, plan, series, survey_places
from dynaccel.patch.port_hooks import Fit
from dynaccel.patch.port_hooks import port as find_fits
from dynaccel.patch.survey_places import NewPlace, Spot

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

SERIES = """
[[hook]]
name = "steps"
about = "steps are real"
  [[hook.variant]]
  patch = "steps/5.0.patch"
  from = "5.0"
  to = "6.0"
  [[hook.variant]]
  patch = "steps/6.0.patch"
  from = "6.0"
  to = "6.2"
"""
WORDS = """
[[word]]
name = "step"
pattern = '\\bcommon_step\\('
below = ["kernel/time"]
hooks = ["steps"]
"""
OLD = changed("\tmiddle_step(6);", "\told_step(6);")


@pytest.fixture
def hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hooks of 6.0 and of 5.0, when a line had another name."""
    old = changed("\told_step(6);", "\tdynaccel_step(6);", OLD)
    trees.write(
        tmp_path / "data/hooks",
        {
            "series.toml": SERIES,
            "places.toml": WORDS,
            "steps/5.0.patch": git_diff(text(OLD), text(old)),
            "steps/6.0.patch": git_diff(text(BASE), text(HOOKED)),
        },
    )
    trees.write(tmp_path / "data/core", {"kernel/dynaccel.c": "/* dynaccel */\n"})
    monkeypatch.setattr(paths, "data_dir", lambda _name: tmp_path / "data")
    return tmp_path / "data/hooks"


def tree(tmp_path: Path, lines: list[str], version: str = "6.3.4") -> Path:
    made = trees.make_tree(tmp_path / f"linux-{version}", version)
    trees.write(made, {FILE: text(lines)})
    return made


def run(*words: object) -> Result:
    return CliRunner().invoke(port, [str(word) for word in words])


def fits(tmp_path: Path, hooks: Path, lines: list[str]) -> list[tuple[str, Fit, bool]]:
    found = find_fits(tree(tmp_path, lines), directory=hooks)
    return [(one.variant.patch, one.fit, one.serves) for one in found.hooks[0].trials]


def test_variants_of_other_versions_are_tried_and_the_best_is_first(
    tmp_path: Path, hooks: Path
) -> None:
    assert fits(tmp_path, hooks, BASE) == [
        ("steps/6.0.patch", Fit.EXACT, False), ("steps/5.0.patch", Fit.MISFIT, False),
    ]  # fmt: skip
    assert fits(tmp_path, hooks, OLD)[0] == ("steps/5.0.patch", Fit.EXACT, False)
    vendor = changed("\tmiddle_step(4);", "\tvendor_step(4);")
    assert fits(tmp_path, hooks, vendor)[0] == ("steps/6.0.patch", Fit.MERGES, False)


def test_a_variant_that_fits_as_it_is_only_needs_a_wider_range(tmp_path: Path, hooks: Path) -> None:
    out = tmp_path / "out"
    result = run(tree(tmp_path, BASE), "-o", out)
    assert result.exit_code == 0, result.output
    text_ = (out / "series.toml").read_text()
    assert "# Fits as it is: widen the range of this variant." in text_
    (entry,) = tomllib.loads(text_)["hook"]
    assert entry["variant"] == [{"patch": "steps/6.0.patch", "from": "6.3", "to": "6.4"}]
    assert (out / "steps/6.0.patch").read_bytes() == (hooks / "steps/6.0.patch").read_bytes()


def test_what_is_written_is_a_series_that_fits_the_tree_exactly(
    tmp_path: Path, hooks: Path
) -> None:
    before = {path: path.read_bytes() for path in hooks.rglob("*") if path.is_file()}
    place = tree(tmp_path, changed("\tmiddle_step(4);", "\tvendor_step(4);"))
    snapshot = trees.snapshot(place)
    out = tmp_path / "data2" / "hooks"
    result = run(place, "-o", out)
    assert result.exit_code == 0, result.output
    assert series.unnamed_patches(out, series.load(out)) == []
    assert "New, merged from steps/6.0.patch; look at" in (out / "series.toml").read_text()
    assert b"vendor_step(4)" in (out / "steps/6.3.patch").read_bytes()
    trees.write(tmp_path / "data2/core", trees.CORE)
    found = plan(place, kernel_dir=tmp_path / "data2")
    assert [hook.state for hook in found.hooks] == [HookState.APPLIES]
    assert (out / "report.txt").read_text() in result.stdout
    assert trees.snapshot(place) == snapshot
    assert {path: path.read_bytes() for path in hooks.rglob("*") if path.is_file()} == before


def test_a_vendors_tree_of_a_served_version_gets_a_patch_of_another_name(
    tmp_path: Path, hooks: Path
) -> None:
    del hooks
    place = tree(tmp_path, changed("\tmiddle_step(4);", "\tvendor_step(4);"), "6.0.9")
    out = tmp_path / "out"
    assert run(place, "-o", out).exit_code == 0
    assert (out / "steps/6.0-merged.patch").is_file()


def test_a_hook_that_fits_nowhere_is_told_with_the_nearest_text(
    tmp_path: Path, hooks: Path
) -> None:
    del hooks
    out = tmp_path / "out"
    place = tree(tmp_path, changed("\tmiddle_step(6);", "\tmiddle_step_six(6);"))
    result = run(place, "-o", out)
    assert result.exit_code == DOES_NOT_FIT
    assert "hook steps, steps/6.0.patch, which comes nearest:" in result.stdout
    assert "+ \tmiddle_step_six(6);" in result.stdout
    assert "1 have to be made: steps" in result.stdout
    assert "# No variant of the hook steps fits" in (out / "series.toml").read_text()
    assert not (out / "steps").exists()
    data = json.loads(run(place, "--json").stdout)
    assert data["fits"] is False
    assert [trial["fit"] for trial in data["hooks"][0]["trials"]] == ["misfit", "misfit"]


def test_a_patched_tree_is_refused(tmp_path: Path, hooks: Path) -> None:
    with pytest.raises(TreeMismatchError, match="patched already"):
        find_fits(tree(tmp_path, HOOKED), directory=hooks)


def test_a_directory_with_something_in_it_is_not_touched(tmp_path: Path, hooks: Path) -> None:
    del hooks
    result = run(tree(tmp_path, BASE), "-o", tmp_path)
    assert isinstance(result.exception, UserError)
    assert not (tmp_path / "series.toml").exists()


def test_new_users_of_what_hooks_care_about_are_listed(tmp_path: Path, hooks: Path) -> None:
    old = tree(tmp_path, BASE, "6.1.0")
    at = BASE.index("\tend_step(8);")
    new = tree(
        tmp_path,
        [*BASE[:at], "\tcommon_step(9);", "\t/* common_step() is fine here */", *BASE[at:]],
    )
    out = tmp_path / "out"
    run(old, "-o", out)
    (hooks / "places").mkdir()
    (out / "places.txt").rename(hooks / "places/6.1.txt")
    listed = json.loads(run(new, "--json").stdout)
    assert listed["compared_with"] == "6.1"
    assert {place["spot"]["function"] for place in listed["places"]} == {"end"}
    assert "common_step(9);" in [place["text"] for place in listed["places"]]
    assert not any("fine here" in place["text"] for place in listed["places"])
    by_tree = json.loads(run(new, "--against", old, "--json").stdout)
    assert by_tree["places"] == listed["places"]
    assert by_tree["compared_with"] == "6.1.0"
    same = run(old)
    assert "places that Linux 6.1 has not, at which hooks may be needed: 0" in same.stdout


def test_a_place_that_a_hook_takes_away_is_not_listed(tmp_path: Path, hooks: Path) -> None:
    at = BASE.index("\tmiddle_step(2);") + 1
    assert BASE[at] == "\tcommon_step(1);"
    patched = [*BASE[:at], "\tdynaccel_common(1);", *BASE[at + 1 :]]
    (hooks / "steps/6.0.patch").write_text(git_diff(text(BASE), text(patched)))
    data = json.loads(run(tree(tmp_path, BASE), "--json").stdout)
    middle = [place for place in data["places"] if place["spot"]["function"] == "middle"]
    assert len(middle) == BASE.count("\tcommon_step(1);") // 3 - 1


def test_places_are_written_and_read_again() -> None:
    spots = {
        Spot(word="a b", path="x.c", function=""): 2,
        Spot(word="c", path="y", function="f"): 1,
    }
    assert survey_places.parse(survey_places.render(spots)) == spots
    for damaged in ("a\tb\tc", "a\tb\tc\tmany"):
        with pytest.raises(ValueError, match="line 1"):
            survey_places.parse(damaged)


@pytest.mark.parametrize(
    ("version", "wanted"), [("6.5", "6.1"), ("6.12.3", "6.12"), ("5.10", "6.1"), ("7.0", "6.12")]
)
def test_the_nearest_version_before_is_compared_with(
    version: str, wanted: str, tmp_path: Path
) -> None:
    trees.write(tmp_path / "places", {"6.1.txt": "", "6.12.txt": ""})
    seen = survey_places.seen_before(tmp_path, KernelVersion.parse(version))
    assert seen == (wanted, {})
    assert survey_places.seen_before(tmp_path / "places", KernelVersion(6, 1)) is None


def test_only_functions_with_more_of_a_word_are_new() -> None:
    spot = Spot(word="w", path="x.c", function="f")
    found = [NewPlace(spot=spot, line=line, text="", hooks=("h",)) for line in (1, 2)]
    assert survey_places.new_places(found, {spot: 2}) == []
    assert survey_places.new_places(found, {spot: 1}) == found
    assert survey_places.new_places(found, {}) == found


def test_mistakes_in_the_table_of_words_come_at_once(tmp_path: Path) -> None:
    bad = '[[word]]\nname = "a"\npattern = "("\nbelow = []\nhooks = ["h"]\n'
    trees.write(tmp_path, {"places.toml": bad})
    with pytest.raises(UserError) as caught:
        survey_places.load_words(tmp_path)
    detail = str(caught.value.detail)
    assert "word 'a', pattern" in detail
    assert "word 'a', below" in detail


def test_the_shipped_words_name_hooks_that_there_are() -> None:
    directory = paths.data_dir("kernel") / "hooks"
    known = {hook.name for hook in series.load(directory).hooks}
    words = survey_places.load_words(directory)
    assert {name for word in words for name in word.hooks} <= known
    names = [word.name for word in words]
    assert len(names) == len(set(names))
    for path in (directory / "places").glob("*.txt"):
        assert {spot.word for spot in survey_places.parse(path.read_text())} <= set(names)
