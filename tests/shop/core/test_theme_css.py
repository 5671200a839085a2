"""The CSS of themes."""

import pytest

from shop.core import theme_css


@pytest.mark.parametrize(
    ("ground", "ink", "scheme"), [("#ffffff", "#000000", "light"), ("#101010", "#eeeeee", "dark")]
)
def test_root_css_sets_the_scheme_by_the_ground(ground: str, ink: str, scheme: str) -> None:
    typeface = theme_css.TYPEFACES[theme_css.DEFAULT_TYPEFACE]

    css = theme_css.root_css(ground=ground, ink=ink, signal="#b23200", typeface=typeface)

    assert css == (
        f':root{{--ground:{ground};--ink:{ink};--signal:#b23200;--face:"Host Grotesk",var(--text);--heavy:600;'
        f"color-scheme:{scheme}}}"
    )


@pytest.mark.parametrize("name", ["ground", "ink", "signal"])
def test_root_css_refuses_everything_but_colours(name: str) -> None:
    colours = {"ground": "#ffffff", "ink": "#000000", "signal": "#b23200"} | {name: "#b23200}</style>"}

    with pytest.raises(ValueError, match="is not a colour"):
        theme_css.root_css(**colours, typeface=theme_css.TYPEFACES[theme_css.DEFAULT_TYPEFACE])
