"""The forms of an HTML page, as a browser without script would send them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

Attributes = dict[str, str]


@dataclass
class Control:
    """One named control; `kind` is an input's type, or select, textarea, button."""

    name: str
    kind: str
    value: str = ""
    chosen: bool = True  # a box that is not ticked is not sent
    options: list[str] = field(default_factory=list)
    attributes: Attributes = field(default_factory=dict)

    @property
    def disabled(self) -> bool:
        return "disabled" in self.attributes


@dataclass
class Form:
    """One form with its controls in the order of the page."""

    action: str
    method: str
    attributes: Attributes
    controls: list[Control] = field(default_factory=list)

    def named(self, *names: str) -> list[Control]:
        """The controls that can be used under these names."""
        return [control for control in self.controls if control.name in names and not control.disabled]

    def fields(self) -> dict[str, str]:
        """What is sent if nothing is touched; buttons are not."""
        return {
            control.name: control.value
            for control in self.controls
            if control.chosen and not control.disabled and control.kind not in {"button", "submit"}
        }


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._form: Form | None = None
        self._select: Control | None = None
        self._text: Control | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(found.get("action", ""), found.get("method", "get").lower(), found)
            self.forms.append(self._form)
        elif tag == "option" and self._select:
            value = found.get("value", "")
            self._select.options.append(value)
            if "selected" in found or len(self._select.options) == 1:
                self._select.value = value
        elif tag in {"input", "select", "textarea", "button"} and self._form and found.get("name"):
            self._add(tag, found)

    def _add(self, tag: str, found: Attributes) -> None:
        kind = found.get("type", "text" if tag == "input" else tag).lower()
        control = Control(found["name"], kind, found.get("value", ""), attributes=found)
        if kind in {"radio", "checkbox"}:
            control.chosen = "checked" in found
            control.value = found.get("value", "on")
        if self._form:
            self._form.controls.append(control)
        if tag == "select":
            self._select = control
        if tag == "textarea":
            self._text = control

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._text = None

    def handle_data(self, data: str) -> None:
        if self._text:
            self._text.value += data


def read(html: str) -> list[Form]:
    """All forms of a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.forms


def find(html: str, *, ending: str) -> Form | None:
    """The first form whose address ends so."""
    return next((form for form in read(html) if form.action.partition("?")[0].endswith(ending)), None)
