"""What browsers are served of the files in ``console/static``."""

from __future__ import annotations

from ibs_notify.console.assets import STATIC, STYLE, Assets


def test_every_part_of_the_stylesheet_is_in_it_once() -> None:
    parts = sorted(path.stem for path in (STATIC / "style").iterdir())
    assert sorted(STYLE) == parts


def test_an_address_changes_with_the_content_and_an_unknown_file_has_none() -> None:
    assets = Assets()
    assert assets.url("style.css") != assets.url("console.js") != ""
    assert assets.url("style/tokens.css") == ""
    assert assets.url("vendor/never-fetched.js") == ""
